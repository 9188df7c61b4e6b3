"""PSNR and SSIM of pairs: clips whose second half of frames is the real clip of the sample."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vdm_jax.interfaces import Clips
from vdm_jax.metrics.images import luma, psnr, ssim

LARGEST = 100.0
"""The PSNR in dB that stands for the infinite PSNR of equal frames."""


@dataclass(frozen=True)
class PairPSNR:
    """PSNR in dB of each frame, [(b f) 1], at most `LARGEST`."""

    @property
    def name(self) -> str:
        return "psnr"

    def __call__(self, video: Clips) -> Float[np.ndarray, "n 1"]:
        generated, true = _halves(video)
        values = [psnr(a[None], b[None]) for a, b in zip(generated, true, strict=True)]
        return np.minimum(values, LARGEST).reshape(-1, 1)


@dataclass(frozen=True)
class PairSSIM:
    """SSIM of the luma of each frame, [(b f) 1], as in MAGVIT."""

    @property
    def name(self) -> str:
        return "ssim"

    def __call__(self, video: Clips) -> Float[np.ndarray, "n 1"]:
        generated, true = _halves(video)
        generated, true = luma(generated), luma(true)
        values = [ssim(a[None], b[None]) for a, b in zip(generated, true, strict=True)]
        return np.reshape(values, (-1, 1))


def _halves(video: Clips) -> tuple[np.ndarray, np.ndarray]:
    """The frames of the samples and of the real clips, [(b f) h w c] each."""
    frames = video.shape[1] // 2
    generated, true = video[:, :frames], video[:, frames:]
    return generated.reshape(-1, *video.shape[2:]), true.reshape(-1, *video.shape[2:])
