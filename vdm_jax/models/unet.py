"""The factorised space-time U-Net of Video Diffusion Models: its whole forward pass."""

import dataclasses
from collections import Counter

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdm_jax.models.conditioning import Conditioning
from vdm_jax.nn import (
    Downsample,
    Embedding,
    GroupNorm,
    Remat,
    ResBlock,
    ScanBlocks,
    Stride,
    Upsample,
    as_submodules,
    call_layer,
    constrain,
    convolution,
    remat_level,
    scan_blocks,
    scan_groups,
)


@dataclasses.dataclass(frozen=True)
class Block:
    """Templates of layers: a residual block `(h, emb) -> h` or None, then mixers."""

    residual: nn.Module | None
    mixers: tuple[nn.Module, ...] = ()


@dataclasses.dataclass(frozen=True)
class Level:
    """One resolution of a U-Net: the blocks on its way down, at the bottom and on its way up.

    width: channels, as a multiple of the network's.
    mixers: layers after every residual block, in order.
    blocks: residual blocks on the way down; one more on the way up.
    stride: how many frames, rows and columns become one on the way to the next level.
    remat: what the backward pass recomputes, such as `nn.RematLayer(nn.SaveDots())`; None stores
      all activations.
    scan: `nn.ScanBlocks()` runs equal blocks as a loop, which compiles faster and stacks their
      parameters; None unrolls them.
    """

    width: int = 1
    mixers: tuple[nn.Module, ...] = ()
    blocks: int = 2
    stride: Stride = (1, 2, 2)
    remat: Remat | None = None
    scan: ScanBlocks | None = None

    @property
    def skips(self) -> int:
        """The number of skips that the way up takes."""
        return self.blocks + 1

    def down(self, base: int, dropout: float, below: "Level | None", name: str) -> nn.Module:
        """`(h, emb, cond, train) -> (h, skips)`; `below` is the next level, None in the last."""
        width = base * self.width
        blocks = (Block(ResBlock(width, dropout, parent=None), self.mixers),) * self.blocks
        if below is not None:
            blocks += (Block(ResBlock(width, dropout, Downsample(self.stride), parent=None)),)
        return remat_level(self.remat, LevelBlocks)(self, width, blocks, name=name)

    def middle(self, base: int, dropout: float, name: str) -> nn.Module | None:
        """`(h, emb, cond, train) -> (h, _)`, below the last level, of the same resolution."""
        width = base * self.width
        block = ResBlock(width, dropout, parent=None)
        blocks = (Block(block, self.mixers), Block(block))
        unrolled = dataclasses.replace(self, scan=None)  # these two are never a loop
        return remat_level(self.remat, LevelBlocks)(unrolled, width, blocks, name=name)

    def up(self, base: int, dropout: float, above: "Level | None", name: str) -> nn.Module:
        """`(h, emb, cond, train, skips) -> (h, _)`; `above` is the level before, or None."""
        width = base * self.width
        blocks = (Block(ResBlock(width, dropout, parent=None), self.mixers),) * (self.blocks + 1)
        if above is not None:
            blocks += (Block(ResBlock(width, dropout, Upsample(above.stride), parent=None)),)
        return remat_level(self.remat, LevelBlocks)(self, width, blocks, name=name)


class UNet(nn.Module):
    """An image U-Net over folded frames, made a video network by the mixers of its levels.

    `h = conv(z)`; each level runs `blocks` residual blocks, each followed by the level's mixers,
    then a residual block that changes resolution; on the way up every block takes a skip.
    The output convolution starts at zero. (Ho et al. 2022, section 3 and figure 1; the 2D parts
    follow the U-Net of Salimans & Ho 2022.)

    Called as `(z, logsnr, cond, train=) -> output` with z and output `b f h w c`, logsnr `b`, or
    `b f` if every frame has its own.

    channels: the base width.
    levels: from the highest resolution to the lowest.
    embedding: `(logsnr, cond, frames) -> emb`, the conditioning vectors `b f d`.
    text: an encoder of `cond.tokens`, trained with the network.
    dropout: rate inside residual blocks.
    outputs: the output's channels; None: those of z.
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
    ) -> Float[Array, "b f h w _"]:
        if self.text is not None and cond.tokens is not None:
            cond = dataclasses.replace(cond, text=self.text(cond.tokens, cond.text_mask))
        emb = self.embedding(logsnr, cond, z.shape[1]).astype(z.dtype)
        z, emb = constrain(z, "b f h w c"), constrain(emb, "b f d")
        shared, levels = (self.channels, self.dropout), self.levels

        h = convolution(self.channels, name="input")(z)
        skips = [h]
        for i, (level, below) in enumerate(zip(levels, (*levels[1:], None), strict=True)):
            h, outputs = level.down(*shared, below, name=f"down_{i}")(h, emb, cond, train)
            skips += outputs

        middle = levels[-1].middle(*shared, name="middle")
        if middle is not None:
            h, _ = middle(h, emb, cond, train)

        for i, above in reversed(list(enumerate((None, *levels[:-1])))):
            taken, skips = skips[-levels[i].skips :], skips[: -levels[i].skips]
            up = levels[i].up(*shared, above, name=f"up_{i}")
            h, _ = up(h, emb, cond, train, tuple(taken))

        h = nn.swish(GroupNorm(name="output_norm")(h))
        return convolution(self.outputs or z.shape[-1], gain=0.0, name="output")(h)


class LevelBlocks(nn.Module):
    """Blocks of a level, one after another: `h = block(h)` or, with a skip, `h = block([h, skip])`.

    Returns the last h and the output of every block. Blocks take the skips from the last to the
    first.

    channels: those of every block's output.
    """

    level: Level
    channels: int
    blocks: tuple[Block, ...]

    @nn.compact
    def __call__(
        self,
        h: Float[Array, "b f h w _"],
        emb: Float[Array, "b #f d"],
        cond: Conditioning,
        train: bool,
        skips: tuple[Float[Array, "b f h w _"], ...] = (),
    ) -> tuple[Array, tuple[Array, ...]]:
        remat, outputs, counts = self.level.remat, [], Counter()
        inputs = [*skips[::-1], *[None] * (len(self.blocks) - len(skips))]
        groups = scan_groups(self.level.scan, h, self.channels, self.blocks, inputs)
        for block, (skip, *more) in groups:
            if more:
                name = f"Loop_{counts['Loop']}"
                loop = LevelBlocks(self.level, self.channels, (block,), name=name)
                h, turns = scan_blocks(loop, h, emb, cond, train, (skip, *more))
                counts["Loop"] += 1
                outputs += turns
                continue
            if skip is not None:
                h = jnp.concatenate([h, skip], axis=-1)
            if block.residual is not None:
                (residual,) = as_submodules(self, (block.residual,), counts)
                h = call_layer(remat, residual, h, emb, train=train)
            for mixer in as_submodules(self, block.mixers, counts):
                h = call_layer(remat, mixer, h, emb, cond, train=train)
            outputs.append(h)
        return h, tuple(outputs)
