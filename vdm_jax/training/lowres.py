"""The low-resolution input of super-resolution models, made from training clips."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdm_jax import diffusion
from vdm_jax.models import Conditioning
from vdm_jax.types import Key, Keys, LogSNR, Video

LowResVideo = Float[Array, "b _ _ _ c"]


@dataclasses.dataclass(frozen=True)
class LowRes:
    """Fewer frames, smaller frames, and noise augmentation: `alpha low + sigma eps`.

    frames: the factor in time; every `frames`-th frame stays, from the first on.
    size: the factor in space, by a triangle filter two output pixels wide. (Imagen Video, section
      2.3)
    crop: the side in pixels of a random square of each training clip, and of its low-resolution
      video, for a fully convolutional model; None trains on whole clips. (Saharia et al. 2022,
      section 2.3)
    augmentation: the process of the noise. The noise is drawn at the low resolution, so repeated
      frames share it. (Imagen Video, section 2.5)
    levels: the random log-SNR of the noise in training, one per clip, an input of the model.
    """

    frames: int = 1
    size: int = 1
    crop: int | None = None
    augmentation: diffusion.Process = diffusion.Process(diffusion.Cosine())
    levels: diffusion.Times = diffusion.Uniform()

    def __post_init__(self):
        if self.frames < 1 or self.size < 1:
            raise ValueError(
                f"LowRes: frames={self.frames} and size={self.size} are factors: make them 1 "
                "or more"
            )
        if self.crop is not None and self.crop % self.size:
            raise ValueError(f"LowRes.crop={self.crop} must be a multiple of size={self.size}")

    def downsample(
        self, x: Video
    ) -> Float[Array, "b f//{self.frames} h//{self.size} w//{self.size} c"]:
        """The low-resolution video, without noise."""
        b, f, h, w, c = x.shape
        if f % self.frames or h % self.size or w % self.size:
            raise ValueError(
                f"a clip of {f} frames of {h}x{w} pixels cannot be downsampled by frames="
                f"{self.frames} and size={self.size}: make its shape divisible by them"
            )
        low = x[:, :: self.frames]
        shape = (b, f // self.frames, h // self.size, w // self.size, c)
        return jax.image.resize(low, shape, "linear", antialias=True)

    def shape(self, low: tuple[int, ...]) -> tuple[int, ...]:
        """The shape [b f h w c] of the output for a low-resolution video of shape `low`."""
        b, f, h, w, c = low
        return b, f * self.frames, h * self.size, w * self.size, c

    def draw(
        self, key: Key, x: Video, cond: Conditioning
    ) -> tuple[Float[Array, "b f _ _ c"], Conditioning]:
        """A training clip, perhaps cropped, and its conditions with the noisy low-resolution video.

        In a pack of images, a low-resolution frame stands for frames of other images; it is then
        blank, at the schedule's lowest log-SNR.
        """
        key_crop, key_level, key_noise = jax.random.split(key, 3)
        low, schedule = self.downsample(x), self.augmentation.schedule
        if self.crop is not None:
            x, low = self._crop(key_crop, x, low)
        if cond.segments is None:
            logsnr = self.levels(key_level, x.shape[:1], schedule)
            return x, self.condition(key_noise, cond, low, logsnr)
        logsnr = self.levels(key_level, x.shape[:2], schedule)
        logsnr = jnp.take_along_axis(logsnr, cond.segments, axis=1)
        groups = cond.segments.reshape(len(x), -1, self.frames)
        same_clip = (groups == groups[..., :1]).all(axis=-1)  # b f'
        noisy = self._add_noise(key_noise, low, logsnr)
        return x, dataclasses.replace(
            cond,
            lowres=jnp.where(diffusion.expand(same_clip, low), noisy, 0),
            lowres_logsnr=jnp.where(
                jnp.repeat(same_clip, self.frames, axis=1), logsnr, schedule(jnp.ones(()))
            ),
        )

    def condition(self, key: Keys, cond: Conditioning, low: Video, logsnr: LogSNR) -> Conditioning:
        """The conditions with a low-resolution video, noised to `logsnr`, [b] or [b f]."""
        return dataclasses.replace(
            cond, lowres=self._add_noise(key, low, logsnr), lowres_logsnr=logsnr
        )

    def logsnr(self, snr: float | None) -> Float[Array, ""]:
        """The log-SNR of noise augmentation; None is the least noise of the schedule."""
        return self.augmentation.schedule(jnp.zeros(())) if snr is None else jnp.log(snr)

    def _add_noise(self, key: Keys, low: Video, logsnr: LogSNR) -> Video:
        levels = logsnr if logsnr.ndim == 1 else logsnr[:, :: self.frames]
        return self.augmentation.diffuse(low, levels, diffusion.normal(key, low.shape))

    def _crop(
        self, key: Key, x: Video, low: LowResVideo
    ) -> tuple[Float[Array, "b f _ _ c"], LowResVideo]:
        """The same random square of both videos, another for each batch element."""
        assert self.crop is not None
        b, side = len(x), self.crop // self.size
        room = jnp.array([low.shape[2] - side + 1, low.shape[3] - side + 1])
        if low.shape[2] < side or low.shape[3] < side:
            raise ValueError(
                f"LowRes.crop={self.crop} is larger than the clips, of {x.shape[2]}x{x.shape[3]} "
                "pixels"
            )
        corners = jax.random.randint(key, (b, 2), 0, room.reshape(1, 2))

        def cut(video, corner, side):
            f, *_, c = video.shape
            return jax.lax.dynamic_slice(video, (0, corner[0], corner[1], 0), (f, side, side, c))

        def both(x, low, corner):
            return cut(x, corner * self.size, self.crop), cut(low, corner, side)

        return jax.vmap(both)(x, low, corners)
