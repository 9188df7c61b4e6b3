"""The factorised space-time U-Net of Video Diffusion Models."""

import dataclasses
from collections import Counter
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdm_jax.models.conditioning import Conditioning
from vdm_jax.nn import Embedding, GroupNorm, ResBlock, Stride, adopt, convolution, enlarge, shrink


@dataclasses.dataclass(frozen=True)
class Level:
    """One resolution of a U-Net.

    width: channels, as a multiple of the network's.
    mixers: layers after every residual block, in order.
    blocks: residual blocks on the way down; one more on the way up.
    stride: how many frames, rows and columns become one on the way to the next level.
    remat: compute the level again in the backward pass instead of keeping its activations.
    """

    width: int = 1
    mixers: tuple[nn.Module, ...] = ()
    blocks: int = 2
    stride: Stride = (1, 2, 2)
    remat: bool = False


class UNet(nn.Module):
    """An image U-Net over folded frames, made a video network by the mixers of its levels.

    `h = conv(z)`; each level runs `blocks` residual blocks, each followed by the level's mixers,
    then a residual block that changes resolution; on the way up every block reads a skip.
    The output convolution starts at zero. (Ho et al. 2022, section 3 and figure 1; the 2D parts
    follow the U-Net of Salimans & Ho 2022.)

    Called as `(z, logsnr, cond, train=) -> output` with z and output `b f h w c`, logsnr `b`, or
    `b f` where the frames of a row have their own.
    """

    channels: int
    levels: tuple[Level, ...]
    embedding: nn.Module = Embedding()
    text: nn.Module | None = None
    dropout: float = 0.0

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

        h = convolution(self.channels, name="input")(z)
        skips = [h]
        for index, level in enumerate(self.levels):
            resample = None if level is self.levels[-1] else level.stride
            down = _part(_Down, level)(
                level, self.channels, self.dropout, resample, name=f"down_{index}"
            )
            h, new = down(h, emb, cond, train)
            skips.extend(new)

        h = _part(_Middle, self.levels[-1])(
            self.levels[-1], self.channels, self.dropout, name="middle"
        )(h, emb, cond, train)

        for index, level in reversed(list(enumerate(self.levels))):
            taken, skips = skips[-level.blocks - 1 :], skips[: -level.blocks - 1]
            resample = None if index == 0 else self.levels[index - 1].stride
            up = _part(_Up, level)(level, self.channels, self.dropout, resample, name=f"up_{index}")
            h = up(h, emb, cond, train, tuple(taken))

        h = nn.swish(GroupNorm(name="output_norm")(h))
        return convolution(z.shape[-1], gain=0.0, name="output")(h)


def _part(kind: type[nn.Module], level: Level) -> type[nn.Module]:
    """A part of the U-Net, recomputed in the backward pass where its level asks for it."""
    return nn.remat(kind, static_argnums=(4,)) if level.remat else kind


class _Blocks(nn.Module):
    """What the three parts of a U-Net share: a residual block followed by the level's mixers."""

    level: Level
    base: int
    dropout: float

    def run(self, h, emb, cond, train, counts, mixers=True, resample=None):
        block = ResBlock(self.level.width * self.base, self.dropout)  # linen numbers it
        h = block(h, emb, resample=resample, train=train)
        for mixer in adopt(self, self.level.mixers, counts) if mixers else ():
            h = mixer(h, emb, cond, train=train)
        return h


class _Down(_Blocks):
    resample: Stride | None

    @nn.compact
    def __call__(self, h, emb, cond, train: bool):
        counts, skips = Counter(), []
        for _ in range(self.level.blocks):
            h = self.run(h, emb, cond, train, counts)
            skips.append(h)
        if self.resample is not None:
            change = partial(shrink, stride=self.resample)
            h = self.run(h, emb, cond, train, counts, mixers=False, resample=change)
            skips.append(h)
        return h, tuple(skips)


class _Middle(_Blocks):
    @nn.compact
    def __call__(self, h, emb, cond, train: bool) -> jax.Array:
        counts = Counter()
        h = self.run(h, emb, cond, train, counts)
        return self.run(h, emb, cond, train, counts, mixers=False)


class _Up(_Blocks):
    resample: Stride | None

    @nn.compact
    def __call__(self, h, emb, cond, train: bool, skips: tuple[jax.Array, ...]):
        counts = Counter()
        for skip in reversed(skips):
            h = self.run(jnp.concatenate([h, skip], axis=-1), emb, cond, train, counts)
        if self.resample is not None:
            change = partial(enlarge, stride=self.resample)
            h = self.run(h, emb, cond, train, counts, mixers=False, resample=change)
        return h
