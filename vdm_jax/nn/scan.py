"""Equal neighbouring blocks of a level as one `lax.scan`.

Compile time grows with the number of unrolled blocks; a scan compiles its block once.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdm_jax.nn.sharding import fold_frames, unfold_frames

Video = Float[Array, "b f h w _"]
Block = TypeVar("Block")


@dataclasses.dataclass(frozen=True)
class ScanBlocks:
    """Run neighbouring blocks as one loop if they differ only in their parameters.

    Their input has as many channels as their output and their skips have one shape. Parameters of
    a loop are those of one block with a leading axis that counts blocks, in the scopes `Loop_0`,
    `Loop_1`, ...

    min_blocks: the fewest equal blocks that become a loop, at least 2. A loop copies what it saves
      for the backward pass into one array for all blocks and out of it again, which takes time; few
      blocks compile soon.
    """

    min_blocks: int = 2

    def __post_init__(self):
        if self.min_blocks < 2:
            raise ValueError(f"ScanBlocks.min_blocks is {self.min_blocks}; the least is 2")


def scan_groups(
    scan: ScanBlocks | None,
    h: Video,
    channels: int,
    blocks: Sequence[Block],
    skips: Sequence[Video | None],
) -> Iterator[tuple[Block, list[Video | None]]]:
    """(block, skips) for each loop, with the skip of every turn, and for each block by itself.

    h: the input of the first block; channels: those of every block's output.
    """
    widths = [h.shape[-1], *[channels] * len(blocks)][: len(blocks)]
    shapes = [None if skip is None else skip.shape for skip in skips]
    remaining = iter(skips)
    for (block, width, _), group in itertools.groupby(zip(blocks, widths, shapes, strict=True)):
        inputs = [next(remaining) for _ in group]
        if scan is not None and width == channels and len(inputs) >= scan.min_blocks:
            yield block, inputs
        else:
            yield from ((block, [skip]) for skip in inputs)


def scan_blocks(
    block: nn.Module,
    h: Video,
    emb: Float[Array, "b #f d"],
    cond: Any,
    train: bool,
    skips: Sequence[Video | None],
) -> tuple[Video, list[Video]]:
    """`h, _ = block(h, emb, cond, train, (skip,))` for each skip; the last h, and all of them."""
    batch = h.shape[0]

    def turn(block, frames, skip):
        own = () if skip is None else (unfold_frames(skip, batch),)
        h, _ = block(unfold_frames(frames, batch), emb, cond, train, own)
        frames = fold_frames(h)
        return frames, frames

    loop = nn.scan(
        turn,
        variable_axes={"params": 0},
        split_rngs={"params": True, "dropout": True},
        length=len(skips),
    )
    folded = [fold_frames(skip) for skip in skips if skip is not None]
    stacked = jnp.stack(folded) if folded else None
    last, outputs = loop(block, fold_frames(h), stacked)
    return unfold_frames(last, batch), [unfold_frames(frames, batch) for frames in outputs]
