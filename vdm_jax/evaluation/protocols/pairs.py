"""Features of pairs: a sample, and after it, frame by frame, the real clip that it was made of."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vdm_jax.evaluation.images import luma, psnr, ssim
from vdm_jax.evaluation.subject import Clips

LARGEST = 100.0
"""PSNR in dB of frames that are equal, for which it is infinite."""


@dataclass(frozen=True)
class PairPSNR:
    """PSNR in dB of each frame, [(b f) 1]; of equal frames `LARGEST`."""

    @property
    def name(self) -> str:
        return "psnr"

    def __call__(self, video: Clips) -> Float[np.ndarray, "n 1"]:
        made, true = _halves(video)
        found = [psnr(a[None], b[None]) for a, b in zip(made, true, strict=True)]
        return np.minimum(found, LARGEST).reshape(-1, 1)


@dataclass(frozen=True)
class PairSSIM:
    """SSIM of the luma of each frame, [(b f) 1], as MAGVIT computes it."""

    @property
    def name(self) -> str:
        return "ssim"

    def __call__(self, video: Clips) -> Float[np.ndarray, "n 1"]:
        made, true = _halves(video)
        made, true = luma(made), luma(true)
        found = [ssim(a[None], b[None]) for a, b in zip(made, true, strict=True)]
        return np.reshape(found, (-1, 1))


def _halves(video: Clips) -> tuple[np.ndarray, np.ndarray]:
    """The frames of samples and those of real clips, [(b f) h w c] each."""
    frames = video.shape[1] // 2
    made, true = video[:, :frames], video[:, frames:]
    return made.reshape(-1, *video.shape[2:]), true.reshape(-1, *video.shape[2:])
