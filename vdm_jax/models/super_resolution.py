"""Super-resolution in space and time: the low-resolution video beside z, an Efficient U-Net below.

A super-resolution model is a network like any other, called `(z, logsnr, cond, train=)`, that also
sees `cond.lowres` and knows from `cond.lowres_logsnr` how noisy that is.
"""

import dataclasses
from collections import Counter

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdm_jax.models.conditioning import Conditioning
from vdm_jax.models.temporal_upsampling import Repeat, TemporalUpsample, Video
from vdm_jax.models.unet import Level
from vdm_jax.nn import ResBlock, as_submodules, convolution


@dataclasses.dataclass(frozen=True)
class EfficientLevel(Level):
    """One resolution of Imagen's Efficient U-Net, where resolution changes as early as it can.

    Down: a strided convolution into the level, `blocks` residual blocks, the mixers once. Up: the
    skip / sqrt(2) is added, the same, and resolution grows by repetition and a convolution.
    `stride` is the step from the level before. (Saharia et al. 2022, appendix B.1)
    """

    def __post_init__(self):
        super().__post_init__()
        if self.stride[0] != 1:
            raise ValueError(f"EfficientLevel.stride is {self.stride}: frames are never merged")

    @property
    def skips(self) -> int:
        return 1

    def down(self, base: int, dropout: float, after: Level | None, name: str) -> nn.Module:
        return self.part(_Down)(self, base, dropout, name=name)

    def middle(self, base: int, dropout: float, name: str) -> None:
        return None

    def up(self, base: int, dropout: float, before: Level | None, name: str) -> nn.Module:
        width = base if before is None else base * before.width
        return self.part(_Up)(self, base, dropout, width, name=name)


class _Blocks(nn.Module):
    """What the way down and the way up share: residual blocks, then the mixers once."""

    level: EfficientLevel
    base: int
    dropout: float

    def run(self, h, emb, cond, train):
        width, layer = self.level.width * self.base, self.level.remat.layer

        def step(owner, counts, h, x):
            return layer(ResBlock(width, self.dropout), h, emb, train=train)  # linen numbers it

        h, _ = self.level.scan(self, step, width, h, (None,) * self.level.blocks)
        for mixer in as_submodules(self, self.level.mixers, Counter()):
            h = layer(mixer, h, emb, cond, train=train)
        return h


class _Down(_Blocks):
    @nn.compact
    def __call__(self, h, emb, cond, train: bool):
        width, stride = self.level.width * self.base, self.level.stride[1:]
        if any(side % s for side, s in zip(h.shape[2:4], stride, strict=True)):
            raise ValueError(
                f"a feature map of {h.shape[2]}x{h.shape[3]} does not divide by the level's stride "
                f"{self.level.stride}; choose a size divisible by the product of all strides"
            )
        h = convolution(width, stride=stride, name="resample")(h)
        h = self.run(h, emb, cond, train)
        return h, (h,)


class _Up(_Blocks):
    width: int
    """Channels of the level above."""

    @nn.compact
    def __call__(self, h, emb, cond, train: bool, skips: tuple[jax.Array, ...]):
        (skip,) = skips
        h = self.run(h + skip * 2**-0.5, emb, cond, train)
        return convolution(self.width, times=self.level.stride[1:], name="resample")(h)


class SuperResolution(nn.Module):
    """`network` on z and the low-resolution video, enlarged, as channels of one input.

    `network([z, fill(bilinear(cond.lowres))])`. Every frame is made, those that the low-resolution
    video shows too. The network's `outputs` are z's channels. (Ho et al. 2022, Imagen Video,
    section 2.3; Saharia et al. 2021, SR3, section 2.1)
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
        large = self.enlarged(z, cond)
        return self.network(jnp.concatenate([z, large], axis=-1), logsnr, cond, train=train)

    def enlarged(self, z: Video, cond: Conditioning) -> Video:
        """The low-resolution video in the shape of z, with the channels that `fill` adds."""
        if cond.lowres is None:
            raise ValueError(
                f"{type(self).__name__} needs cond.lowres, the video to enlarge; give the task a "
                "`lowres`"
            )
        low = cond.lowres.astype(z.dtype)
        low = jax.image.resize(low, (*low.shape[:2], *z.shape[2:4], low.shape[-1]), "linear")
        return self.upsample_time(low, z.shape[1])


class Residual(SuperResolution):
    """Super-resolution of what the enlarged video m lacks, r = x - m, for short trainings.

    With z_r = z - alpha m, s = `std` of r and n^2 = alpha^2 s^2 + sigma^2, the v of x is

        alpha sigma (1 - s^2) / n^2 z_r - s / n network([z_r / n, m, d / s]) - sigma m,

    Karras et al. 2022 (EDM), eq. 7, for r, written as v; d is what `fill` gives beside m, of the
    size of r. A new network, which says 0, filters independent pixels linearly: m where all is
    noise, z where none is. What a small network cannot carry from its input to its output is so
    not asked of it. Only for v-prediction, variance preserving: `alpha^2 = sigmoid(logsnr)`. Not of
    the Imagen papers.
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
        large = self.enlarged(z, cond)
        m, beside = jnp.split(large, [z.shape[-1]], axis=-1)
        level = logsnr.reshape(len(logsnr), -1, 1, 1, 1)
        alpha, sigma = (jnp.sqrt(nn.sigmoid(a)).astype(z.dtype) for a in (level, -level))
        n, rest = jnp.hypot(alpha * self.std, sigma), z - alpha * m
        seen = jnp.concatenate([rest / n, m, beside / self.std], axis=-1)
        output = self.network(seen, logsnr, cond, train=train)
        linear = alpha * sigma * (1 - self.std**2) / n**2 * rest
        return linear - self.std / n * output - sigma * m
