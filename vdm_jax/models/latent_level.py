"""The levels of Stable Diffusion's U-Net."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp

from vdm_jax.models.unet import Level
from vdm_jax.nn import AdditiveBlock, DownsampleConv, UpsampleConv, as_submodules


@dataclasses.dataclass(frozen=True)
class LatentLevel(Level):
    """One resolution of Stable Diffusion's U-Net, with convolutions between resolutions.

    Down: `blocks` times a residual block and the mixers, then `downsample`. Up: one block more,
    then `upsample`. Between them, at the bottom: a block, the mixers `bottom`, a block.
    (Rombach et al. 2022, appendix E.1; the U-Net of Dhariwal & Nichol 2021)
    """

    bottom: tuple[nn.Module, ...] = ()
    downsample: nn.Module = DownsampleConv()
    upsample: nn.Module = UpsampleConv()

    def __post_init__(self):
        super().__post_init__()
        if self.stride != (1, 2, 2):
            raise ValueError(f"LatentLevel.stride is {self.stride}: rows and columns are halved")

    def down(self, base: int, dropout: float, after: Level | None, name: str) -> nn.Module:
        resample = () if after is None else (self.downsample,)
        return self.part(_Down)(self, base, dropout, resample, name=name)

    def middle(self, base: int, dropout: float, name: str) -> nn.Module:
        return self.part(_Middle)(self, base, dropout, name=name)

    def up(self, base: int, dropout: float, before: Level | None, name: str) -> nn.Module:
        resample = () if before is None else (self.upsample,)
        return self.part(_Up)(self, base, dropout, resample, name=name)


class _Blocks(nn.Module):
    """What the three parts share: a residual block followed by mixers."""

    level: LatentLevel
    base: int
    dropout: float

    def run(self, h, emb, cond, train, inputs, mixers):
        """(h, what each block gives), of as many blocks as inputs, which they read if not None."""
        width, layer = self.level.width * self.base, self.level.remat.layer

        def step(owner, counts, h, x):
            h = h if x is None else jnp.concatenate([h, x], axis=-1)
            h = layer(AdditiveBlock(width, self.dropout), h, emb, train=train)  # linen numbers it
            for mixer in as_submodules(owner, mixers, counts):
                h = layer(mixer, h, emb, cond, train=train)
            return h

        return self.level.scan(self, step, width, h, inputs)


class _Down(_Blocks):
    resample: tuple[nn.Module, ...]

    @nn.compact
    def __call__(self, h, emb, cond, train: bool):
        inputs = (None,) * self.level.blocks
        h, skips = self.run(h, emb, cond, train, inputs, self.level.mixers)
        for shrink in as_submodules(self, self.resample):
            h = shrink(h)
            skips.append(h)
        return h, tuple(skips)


class _Middle(_Blocks):
    @nn.compact
    def __call__(self, h, emb, cond, train: bool) -> jax.Array:
        h, _ = self.run(h, emb, cond, train, (None,), self.level.bottom)
        h, _ = self.run(h, emb, cond, train, (None,), ())
        return h


class _Up(_Blocks):
    resample: tuple[nn.Module, ...]

    @nn.compact
    def __call__(self, h, emb, cond, train: bool, skips: tuple[jax.Array, ...]):
        h, _ = self.run(h, emb, cond, train, skips[::-1], self.level.mixers)
        for enlarge in as_submodules(self, self.resample):
            h = enlarge(h)
        return h
