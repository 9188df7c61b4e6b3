"""Super-resolution in space and time: z concatenated with the low-resolution video, and the
levels of the Efficient U-Net.

A super-resolution model is a network `(z, logsnr, cond, train=)` that also takes `cond.lowres` and
its log-SNR `cond.lowres_logsnr`.
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdm_jax.models.conditioning import Conditioning
from vdm_jax.models.temporal_upsampling import Repeat, TemporalUpsample, Video
from vdm_jax.models.unet import Block, Level, LevelBlocks
from vdm_jax.nn import ResBlock, convolution, remat_level


@dataclasses.dataclass(frozen=True)
class EfficientLevel(Level):
    """One resolution of Imagen's Efficient U-Net, which downsamples first and upsamples last.

    Down: a strided convolution into the level, `blocks` residual blocks, the mixers once. Up: skip
    / sqrt(2) is added, then the same blocks and mixers, nearest upsampling and a convolution.
    (Saharia et al. 2022, appendix B.1)

    stride: from the level before to this one.
    """

    def __post_init__(self):
        if self.stride[0] != 1:
            raise ValueError(
                f"EfficientLevel.stride is {self.stride}; frames are never merged, "
                "use (1, rows, columns)"
            )

    @property
    def skips(self) -> int:
        return 1

    def down(self, base: int, dropout: float, below: Level | None, name: str) -> nn.Module:
        return remat_level(self.remat, EfficientDown)(*self._blocks(base, dropout), name=name)

    def middle(self, base: int, dropout: float, name: str) -> None:
        return None

    def up(self, base: int, dropout: float, above: Level | None, name: str) -> nn.Module:
        width = base if above is None else base * above.width
        blocks = self._blocks(base, dropout)
        return remat_level(self.remat, EfficientUp)(*blocks, width, name=name)

    def _blocks(self, base: int, dropout: float) -> tuple[Level, int, tuple[Block, ...]]:
        width = base * self.width
        block = Block(ResBlock(width, dropout, parent=None))
        return self, width, (*(block,) * self.blocks, Block(None, self.mixers))


class EfficientDown(LevelBlocks):
    """A strided convolution, then the blocks of a level."""

    @nn.compact
    def __call__(self, h, emb, cond, train: bool):
        stride = self.level.stride[1:]
        if any(side % s for side, s in zip(h.shape[2:4], stride, strict=True)):
            raise ValueError(
                f"a feature map of {h.shape[2]}x{h.shape[3]} does not divide by the level's stride "
                f"{self.level.stride}; choose a size divisible by the product of all strides"
            )
        h = convolution(self.channels, stride=stride, name="resample")(h)
        h, _ = super().__call__(h, emb, cond, train)
        return h, (h,)


class EfficientUp(LevelBlocks):
    """`h + skip / sqrt(2)`, the blocks of a level, then nearest upsampling and a convolution.

    width: channels of the level above.
    """

    width: int

    @nn.compact
    def __call__(self, h, emb, cond, train: bool, skips: tuple[Video, ...]):
        (skip,) = skips
        h, _ = super().__call__(h + skip * 2**-0.5, emb, cond, train)
        return convolution(self.width, times=self.level.stride[1:], name="resample")(h), ()


class SuperResolution(nn.Module):
    """`network([z, upsample_time(bilinear(cond.lowres))])`, concatenated along channels.

    The output has all frames, also those of the low-resolution video. (Ho et al. 2022, Imagen
    Video, section 2.3; Saharia et al. 2021, SR3, section 2.1)

    network: its `outputs` are z's channels.
    upsample_time: makes the frames between those of the low-resolution video.
    """

    network: nn.Module
    upsample_time: TemporalUpsample = Repeat()

    @nn.compact
    def __call__(
        self,
        z: Float[Array, "b f h w c"],
        logsnr: Float[Array, "b *f"],
        cond: Conditioning = Conditioning(),
        *,
        train: bool = False,
    ) -> Float[Array, "b f h w c"]:
        large = self.upsampled(z, cond)
        return self.network(jnp.concatenate([z, large], axis=-1), logsnr, cond, train=train)

    def upsampled(self, z: Video, cond: Conditioning) -> Float[Array, "b f h w _"]:
        """The low-resolution video in the size of z, with the channels of `upsample_time`."""
        if cond.lowres is None:
            raise ValueError(
                f"{type(self).__name__} needs cond.lowres, the low-resolution video; give the "
                "task a `lowres`"
            )
        low = cond.lowres.astype(z.dtype)
        low = jax.image.resize(low, (*low.shape[:2], *z.shape[2:4], low.shape[-1]), "linear")
        return self.upsample_time(low, z.shape[1])


class Residual(SuperResolution):
    """Super-resolution of the residual r = x - m of the upsampled video m, for short trainings.

    With z_r = z - alpha m, s = `std` of r and n^2 = alpha^2 s^2 + sigma^2, the v of x is

        alpha sigma (1 - s^2) / n^2 z_r - s / n network([z_r / n, m, d / s]) - sigma m,

    Karras et al. 2022 (EDM), eq. 7, for r, written as v; d are the channels of `upsample_time`
    after m, of the size of r. An untrained network, with output 0, gives a linear filter of
    independent pixels: m for pure noise, z without noise. So a small network need not learn to copy
    its input. Only for v-prediction and variance preserving processes: `alpha^2 = sigmoid(logsnr)`.
    Not of the Imagen papers.

    std: the standard deviation of r.
    """

    std: float = 0.1

    @nn.compact
    def __call__(
        self,
        z: Float[Array, "b f h w c"],
        logsnr: Float[Array, "b *f"],
        cond: Conditioning = Conditioning(),
        *,
        train: bool = False,
    ) -> Float[Array, "b f h w c"]:
        large = self.upsampled(z, cond)
        m, d = jnp.split(large, [z.shape[-1]], axis=-1)
        level = logsnr.reshape(len(logsnr), -1, 1, 1, 1)
        alpha, sigma = (jnp.sqrt(nn.sigmoid(a)).astype(z.dtype) for a in (level, -level))
        n, z_r = jnp.hypot(alpha * self.std, sigma), z - alpha * m
        inputs = jnp.concatenate([z_r / n, m, d / self.std], axis=-1)
        output = self.network(inputs, logsnr, cond, train=train)
        linear = alpha * sigma * (1 - self.std**2) / n**2 * z_r
        return linear - self.std / n * output - sigma * m
