"""The factorised space-time U-Net of Video Diffusion Models."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdm_jax.models.conditioning import Conditioning
from vdm_jax.nn import (
    Chain,
    Downsample,
    Embedding,
    GroupNorm,
    Never,
    Remat,
    RematLevel,
    Resample,
    ResBlock,
    Stride,
    Unrolled,
    Upsample,
    as_submodules,
    constrain,
    convolution,
)


@dataclasses.dataclass(frozen=True)
class Level:
    """One resolution of a U-Net, and the three parts of the network that live there.

    width: channels, as a multiple of the network's.
    mixers: layers after every residual block, in order.
    blocks: residual blocks on the way down; one more on the way up.
    stride: how many frames, rows and columns become one on the way to the next level.
    remat: what the backward pass computes again instead of keeping it, such as
      `nn.RematLayer(nn.SaveDots())`; of older runs True is `nn.RematLevel()` and False
      `nn.Never()`.
    scan: how blocks follow one another; in an `nn.ScanBlocks()` level equal ones are a loop, which
      compiles faster and has other parameters.
    """

    width: int = 1
    mixers: tuple[nn.Module, ...] = ()
    blocks: int = 2
    stride: Stride = (1, 2, 2)
    remat: Remat = Never()
    scan: Chain = Unrolled()

    def __post_init__(self):
        if isinstance(self.remat, bool):
            object.__setattr__(self, "remat", RematLevel() if self.remat else Never())

    @property
    def skips(self) -> int:
        """How many activations of the way down the way up reads."""
        return self.blocks + 1

    def down(self, base: int, dropout: float, after: "Level | None", name: str) -> nn.Module:
        """`(h, emb, cond, train) -> (h, skips)`; `after` is the next level, None in the last."""
        resample = None if after is None else Downsample(self.stride)
        return self.part(_Down)(self, base, dropout, resample, name=name)

    def middle(self, base: int, dropout: float, name: str) -> nn.Module | None:
        """`(h, emb, cond, train) -> h`, at the bottom of a network whose last level this is."""
        return self.part(_Middle)(self, base, dropout, name=name)

    def up(self, base: int, dropout: float, before: "Level | None", name: str) -> nn.Module:
        """`(h, emb, cond, train, skips) -> h`; `before` is the level above, None in the first."""
        resample = None if before is None else Upsample(before.stride)
        return self.part(_Up)(self, base, dropout, resample, name=name)

    def part(self, kind: type[nn.Module]) -> type[nn.Module]:
        """A part, computed again in the backward pass where the level asks for it."""
        return self.remat.part(kind)


class UNet(nn.Module):
    """An image U-Net over folded frames, made a video network by the mixers of its levels.

    `h = conv(z)`; each level runs `blocks` residual blocks, each followed by the level's mixers,
    then a residual block that changes resolution; on the way up every block reads a skip.
    The output convolution starts at zero. (Ho et al. 2022, section 3 and figure 1; the 2D parts
    follow the U-Net of Salimans & Ho 2022.)

    Called as `(z, logsnr, cond, train=) -> output` with z and output `b f h w c`, logsnr `b`, or
    `b f` where the frames of a row have their own. `outputs` is the output's number of channels,
    where it is not that of z.
    """

    channels: int
    levels: tuple[Level, ...]
    embedding: nn.Module = Embedding()
    text: nn.Module | None = None
    dropout: float = 0.0
    outputs: int | None = None

    @nn.compact
    def __call__(
        self,
        z: Float[Array, "b f h w c"],
        logsnr: Float[Array, "b *f"],
        cond: Conditioning = Conditioning(),
        *,
        train: bool = False,
    ) -> Float[Array, "b f h w c"]:
        if self.text is not None and cond.tokens is not None:
            cond = dataclasses.replace(cond, text=self.text(cond.tokens, cond.text_mask))
        emb = self.embedding(logsnr, cond, z.shape[1]).astype(z.dtype)
        z, emb = constrain(z, "b f h w c"), constrain(emb, "b f d")

        h = convolution(self.channels, name="input")(z)
        skips = [h]
        how, levels = (self.channels, self.dropout), self.levels
        for i, (level, after) in enumerate(zip(levels, (*levels[1:], None), strict=True)):
            h, new = level.down(*how, after, name=f"down_{i}")(h, emb, cond, train)
            skips.extend(new)

        middle = levels[-1].middle(*how, name="middle")
        if middle is not None:
            h = middle(h, emb, cond, train)

        for i, before in reversed(list(enumerate((None, *levels[:-1])))):
            taken, skips = skips[-levels[i].skips :], skips[: -levels[i].skips]
            up = levels[i].up(*how, before, name=f"up_{i}")
            h = up(h, emb, cond, train, tuple(taken))

        h = nn.swish(GroupNorm(name="output_norm")(h))
        return convolution(self.outputs or z.shape[-1], gain=0.0, name="output")(h)


class _Blocks(nn.Module):
    """What the three parts of a U-Net share: a residual block followed by the level's mixers."""

    level: Level
    base: int
    dropout: float

    @property
    def channels(self) -> int:
        return self.level.width * self.base

    @nn.nowrap  # of whoever calls it, where linen numbers it
    def block(self, h, emb, train, resample: Resample | None = None):
        block = ResBlock(self.channels, self.dropout)
        return self.level.remat.layer(block, h, emb, resample=resample, train=train)

    def run(self, h, emb, cond, train, inputs):
        """(h, what each block gives), of as many blocks as inputs, which they read if not None."""
        layer = self.level.remat.layer

        def step(owner, counts, h, x):
            h = self.block(h if x is None else jnp.concatenate([h, x], axis=-1), emb, train)
            for mixer in as_submodules(owner, self.level.mixers, counts):
                h = layer(mixer, h, emb, cond, train=train)
            return h

        return self.level.scan(self, step, self.channels, h, inputs)


class _Down(_Blocks):
    resample: Resample | None

    @nn.compact
    def __call__(self, h, emb, cond, train: bool):
        h, skips = self.run(h, emb, cond, train, (None,) * self.level.blocks)
        if self.resample is not None:
            h = self.block(h, emb, train, self.resample)
            skips.append(h)
        return h, tuple(skips)


class _Middle(_Blocks):
    @nn.compact
    def __call__(self, h, emb, cond, train: bool) -> jax.Array:
        h, _ = self.run(h, emb, cond, train, (None,))
        return self.block(h, emb, train)


class _Up(_Blocks):
    resample: Resample | None

    @nn.compact
    def __call__(self, h, emb, cond, train: bool, skips: tuple[jax.Array, ...]):
        h, _ = self.run(h, emb, cond, train, skips[::-1])
        if self.resample is not None:
            h = self.block(h, emb, train, self.resample)
        return h
