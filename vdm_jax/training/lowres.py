"""What a super-resolution model is trained on: clips, and the small noisy videos made of them."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdm_jax import diffusion
from vdm_jax.models import Conditioning
from vdm_jax.types import Key, LogSNR, Video


@dataclasses.dataclass(frozen=True)
class LowRes:
    """How a clip becomes its own low-resolution video: fewer frames, smaller ones, noise.

    frames: every `frames`-th frame is kept, from the first on. size: so many rows, and columns,
    become one, by a triangle filter as wide as two of the new ones. (Imagen Video, section 2.3)
    crop: the side of a square that is cut out of the clip at random, with what belongs to it of the
    small video, for a fully convolutional model. (Saharia et al. 2022, section 2.3)

    augmentation and levels: the noise, and how much of it in training, `alpha low + sigma eps` at a
    random log-SNR, which the model is told. One level a clip; the noise is drawn on the small grid,
    so that repeated frames share it. (Imagen Video, section 2.5)
    """

    frames: int = 1
    size: int = 1
    crop: int | None = None
    augmentation: diffusion.Process = diffusion.Process(diffusion.Cosine())
    levels: diffusion.Times = diffusion.Uniform()

    def __post_init__(self):
        if self.frames < 1 or self.size < 1:
            raise ValueError(
                f"LowRes: frames={self.frames} and size={self.size} are how many become one, "
                "1 or more"
            )
        if self.crop is not None and self.crop % self.size:
            raise ValueError(
                f"LowRes.crop is {self.crop}, which does not divide by size={self.size}"
            )

    def downsample(self, x: Video) -> Video:
        """The low-resolution video, without noise."""
        b, f, h, w, c = x.shape
        if f % self.frames or h % self.size or w % self.size:
            raise ValueError(
                f"a clip of {f} frames of {h}x{w} pixels has no low-resolution video of 1/"
                f"{self.frames} of the frames and 1/{self.size} of the rows and columns; make its "
                "shape divisible by them"
            )
        low = x[:, :: self.frames]
        shape = (b, f // self.frames, h // self.size, w // self.size, c)
        return jax.image.resize(low, shape, "linear", antialias=True)

    def shape(self, low: tuple[int, ...]) -> tuple[int, ...]:
        """The shape [b f h w c] of what a small video of shape `low` is made into."""
        b, f, h, w, c = low
        return b, f * self.frames, h * self.size, w * self.size, c

    def draw(self, key: Key, x: Video, cond: Conditioning) -> tuple[Video, Conditioning]:
        """A clip as the model is trained on it, and its conditions with the low-resolution video.

        Frames that are skipped must be of the clip of the frame that stands for them. Where a row
        is a pack of images they are not, and nothing is known of these frames: blank, at the lowest
        log-SNR there is.
        """
        key_crop, key_level, key_noise = jax.random.split(key, 3)
        low, schedule = self.downsample(x), self.augmentation.schedule
        if self.crop is not None:
            x, low = self._cropped(key_crop, x, low)
        if cond.segments is None:
            logsnr = self.levels(key_level, x.shape[:1], schedule)
            return x, self.condition(key_noise, cond, low, logsnr)
        logsnr = self.levels(key_level, x.shape[:2], schedule)
        logsnr = jnp.take_along_axis(logsnr, cond.segments, axis=1)
        groups = cond.segments.reshape(len(x), -1, self.frames)
        there = (groups == groups[..., :1]).all(axis=-1)  # b f'
        noisy = self._noisy(key_noise, low, logsnr)
        return x, dataclasses.replace(
            cond,
            lowres=jnp.where(diffusion.expand(there, low), noisy, 0),
            lowres_logsnr=jnp.where(
                jnp.repeat(there, self.frames, axis=1), logsnr, schedule(jnp.ones(()))
            ),
        )

    def condition(self, key: Key, cond: Conditioning, low: Video, logsnr: LogSNR) -> Conditioning:
        """The conditions with a low-resolution video at a log-SNR, [b] or [b f] for its frames."""
        return dataclasses.replace(cond, lowres=self._noisy(key, low, logsnr), lowres_logsnr=logsnr)

    def logsnr(self, snr: float | None) -> Float[Array, ""]:
        """The log-SNR of augmentation at a signal-to-noise ratio; None is as little as there is."""
        return self.augmentation.schedule(jnp.zeros(())) if snr is None else jnp.log(snr)

    def _noisy(self, key: Key, low: Video, logsnr: LogSNR) -> Video:
        own = logsnr if logsnr.ndim == 1 else logsnr[:, :: self.frames]
        return self.augmentation.diffuse(low, own, diffusion.normal(key, low.shape))

    def _cropped(self, key: Key, x: Video, low: Video) -> tuple[Video, Video]:
        """The same random square of both; each row has its own."""
        assert self.crop is not None
        b, side = len(x), self.crop // self.size
        room = jnp.array([low.shape[2] - side + 1, low.shape[3] - side + 1])
        if low.shape[2] < side or low.shape[3] < side:
            raise ValueError(
                f"LowRes.crop is {self.crop}, and the clips have {x.shape[2]}x{x.shape[3]} pixels"
            )
        corners = jax.random.randint(key, (b, 2), 0, room.reshape(1, 2))

        def cut(video, corner, side):
            f, *_, c = video.shape
            return jax.lax.dynamic_slice(video, (0, corner[0], corner[1], 0), (f, side, side, c))

        def both(x, low, corner):
            return cut(x, corner * self.size, self.crop), cut(low, corner, side)

        return jax.vmap(both)(x, low, corners)
