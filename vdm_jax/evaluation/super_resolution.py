"""What super-resolution adds: held-out clips made small, enlarged by a model and without one."""

from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Num

from vdm_jax import diffusion, models
from vdm_jax.evaluation.images import pooled_psnr
from vdm_jax.evaluation.subject import Clips, Model, Results, encode, up_to
from vdm_jax.types import Key


class SuperResolutionModel(Model, Protocol):
    """A subject that makes large videos of small ones."""

    def downsample(self, videos: Clips, /) -> Clips:
        """The small videos that these would have to be made of."""
        ...

    def enlarge(self, key: Key, cond: Any, low: Clips, /) -> Clips:
        """Large videos of small ones."""
        ...

    def sampled(self, **changes: Any) -> "SuperResolutionModel":
        """The same model, sampled otherwise: `snr`, `sampler`, `guidance`."""
        ...


@dataclass(frozen=True)
class SuperResolution:
    """PSNR in dB of held-out clips, enlarged from their small versions, against the clips.

    `clips` of them, or all where there are fewer. Of the mean error of all frames, as there may be
    empty ones, which everything enlarges exactly.

    repeated: frames enlarged bilinearly, and shown until the next one. blended: between two frames
    their mixture (the same where no frames are missing). model: as the experiment samples, by
    augmentation of the small videos: none, and each SNR of `snrs`, with what repeating and blending
    make of videos with as much noise beside it. mean: the same for one step of
    DDIM without guidance, which from pure noise is the mean E[x | small video], the best that PSNR
    can be: a sample has the detail that it lacks, and so, at best, twice its squared error.
    """

    clips: int = 64
    snrs: tuple[float, ...] = (3.0, 5.0, 20.0)
    every: int | None = None

    @property
    def name(self) -> str:
        return "super_resolution"

    def __call__(self, key: Key, subject: SuperResolutionModel) -> Results:
        chosen = up_to(subject.data, "held_out", self.clips)
        true = np.stack([element["video"] for element in chosen])
        cond, low = encode(subject, chosen), subject.downsample(true)
        results: dict[str, Any] = {
            "repeated": {"psnr": pooled_psnr(repeated(low, true.shape), true)},
            "blended": {"psnr": pooled_psnr(blended(low, true.shape), true)},
        }
        for snr in (None, *self.snrs):
            title = "no augmentation" if snr is None else f"SNR {snr:g}"
            sampled = subject.sampled(lowres_snr=snr)
            mean = sampled.sampled(sampler=diffusion.DDIM(steps=1), guidance=1.0)
            seen = low if snr is None else augmented(low, snr)
            results[title] = {
                "psnr": pooled_psnr(sampled.enlarge(key, cond, low), true),
                "mean psnr": pooled_psnr(mean.enlarge(key, cond, low), true),
                "repeated psnr": pooled_psnr(repeated(seen, true.shape), true),
                "blended psnr": pooled_psnr(blended(seen, true.shape), true),
            }
        return results


def augmented(low: Clips, snr: float) -> Num[np.ndarray, "b f h w c"]:
    """Small videos with the noise of augmentation, divided by its alpha: still 0 .. 255 in mean."""
    noise = np.random.default_rng(0).standard_normal(low.shape, np.float32)
    return low + 127.5 * noise / np.float32(snr) ** 0.5


def repeated(low: Num[np.ndarray, "b f h w c"], shape: tuple[int, ...]) -> Clips:
    """Bilinear in space; frames are shown until the next one."""
    return _enlarged(low, shape, models.Repeat())


def blended(low: Num[np.ndarray, "b f h w c"], shape: tuple[int, ...]) -> Clips:
    """Bilinear in space; linear from frame to frame, and the last one is shown to the end."""
    return _enlarged(low, shape, models.LinearBlend())


def _enlarged(low: Num[np.ndarray, "b f h w c"], shape: tuple[int, ...], fill) -> Clips:
    large = (*low.shape[:2], *shape[2:])
    spatial = jax.image.resize(jnp.asarray(low, jnp.float32), large, "linear")
    filled = np.clip(np.asarray(fill(spatial, shape[1])), 0, 255)
    return np.rint(filled).astype(np.uint8)
