"""Super-resolution against interpolation: PSNR of downsampled held-out clips after upsampling."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Num

from vdm_jax import diffusion, models
from vdm_jax.evaluation.elements import encode, up_to
from vdm_jax.interfaces import Clips, Results, SuperResolutionModel
from vdm_jax.metrics.images import pooled_psnr
from vdm_jax.types import Key


@dataclass(frozen=True)
class SuperResolution:
    """PSNR in dB of held-out clips, downsampled and upsampled again, against the originals.

    PSNR is that of the mean error over all frames, because empty frames have none. The groups:

    * `repeated`: bilinear in space, frames repeated in time.
    * `blended`: bilinear in space, linear in time (equal to `repeated` without missing frames).
    * `no augmentation`, and `SNR ...` for each of `snrs`: the model with this noise augmentation of
      its low-resolution input. `psnr` is sampled as the experiment says. `mean psnr` is one DDIM
      step without guidance from pure noise, the mean E[x | low-resolution video]: the best possible
      PSNR, as a sample has at best twice its squared error. `repeated psnr` and `blended psnr` are
      the interpolations of the augmented input.

    clips: number of clips, or all if there are fewer.
    snrs: SNRs of noise augmentation.
    every: training steps between two evaluations; None is at the end only.
    """

    clips: int = 64
    snrs: tuple[float, ...] = (3.0, 5.0, 20.0)
    every: int | None = None

    @property
    def name(self) -> str:
        return "super_resolution"

    def __call__(self, key: Key, model: SuperResolutionModel) -> Results:
        chosen = up_to(model.data, "held_out", self.clips)
        true = np.stack([element["video"] for element in chosen])
        cond, low = encode(model, chosen), model.downsample(true)
        results: dict[str, Any] = {
            "repeated": {"psnr": pooled_psnr(repeat_frames(low, true.shape), true)},
            "blended": {"psnr": pooled_psnr(blend_frames(low, true.shape), true)},
        }
        for snr in (None, *self.snrs):
            title = "no augmentation" if snr is None else f"SNR {snr:g}"
            sampled = model.with_sampling(lowres_snr=snr)
            mean = sampled.with_sampling(sampler=diffusion.DDIM(steps=1), guidance=1.0)
            noisy = low if snr is None else augment(low, snr)
            results[title] = {
                "psnr": pooled_psnr(sampled.upsample(key, cond, low), true),
                "mean psnr": pooled_psnr(mean.upsample(key, cond, low), true),
                "repeated psnr": pooled_psnr(repeat_frames(noisy, true.shape), true),
                "blended psnr": pooled_psnr(blend_frames(noisy, true.shape), true),
            }
        return results


def augment(low: Clips, snr: float) -> Num[np.ndarray, "b f h w c"]:
    """Low-resolution videos with augmentation noise, divided by alpha: the mean stays in 0..255."""
    noise = np.random.default_rng(0).standard_normal(low.shape, np.float32)
    return low + 127.5 * noise / np.float32(snr) ** 0.5


def repeat_frames(low: Num[np.ndarray, "b f h w c"], shape: tuple[int, ...]) -> Clips:
    """Upsampled bilinearly in space; frames are repeated in time."""
    return _upsample(low, shape, models.Repeat())


def blend_frames(low: Num[np.ndarray, "b f h w c"], shape: tuple[int, ...]) -> Clips:
    """Upsampled bilinearly in space, linearly in time; the last frame is repeated to the end."""
    return _upsample(low, shape, models.LinearBlend())


def _upsample(low: Num[np.ndarray, "b f h w c"], shape: tuple[int, ...], in_time) -> Clips:
    large = (*low.shape[:2], *shape[2:])
    spatial = jax.image.resize(jnp.asarray(low, jnp.float32), large, "linear")
    video = np.clip(np.asarray(in_time(spatial, shape[1])), 0, 255)
    return np.rint(video).astype(np.uint8)
