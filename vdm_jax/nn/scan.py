"""How the blocks of a level follow one another: written out, or as a loop over equal ones.

A program is compiled as often as its text says: eight equal blocks take eight times as long as one,
and a loop over them no longer than one.
"""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdm_jax.nn.sharding import fold_frames, unfold_frames

Video = Float[Array, "b f h w _"]
Pictures = Float[Array, "n h w _"]
Step = Callable[[nn.Module, Counter, Video, Video | None], Video]
"""`(owner, counts, h, x) -> h`: a block, whose layers are made as children of `owner`."""


class Chain(Protocol):
    """How blocks follow one another."""

    def __call__(
        self,
        owner: nn.Module,
        step: Step,
        channels: int,
        h: Video,
        inputs: Sequence[Video | None],
    ) -> tuple[Video, list[Video]]:
        """`h = step(owner, counts, h, x)` for each x of `inputs`; the last h, and all of them.

        channels: those of what a block gives.
        """
        ...


@dataclasses.dataclass(frozen=True)
class Unrolled:
    """Every block by itself, under its own name."""

    def __call__(self, owner, step, channels, h, inputs):
        counts, found = Counter(), []
        for x in inputs:
            h = step(owner, counts, h, x)
            found.append(h)
        return h, found


@dataclasses.dataclass(frozen=True)
class ScanBlocks:
    """Neighbours that are equal but for their parameters as one loop; others by themselves.

    Equal are blocks that read arrays of the same shapes and give what they are given. Parameters of
    those in a loop are those of one, with a first axis more that counts blocks, under `Loop_0`,
    `Loop_1`, ...

    min_blocks: fewer equal blocks are written out. What of a loop waits for the backward pass is
    copied
    into one array for all turns, and out of it: that takes time, a few blocks compile soon.
    """

    min_blocks: int = 2

    def __call__(self, owner, step, channels, h, inputs):
        counts, found = Counter(), []
        before = [h.shape[-1], *[channels] * (len(inputs) - 1)]
        kinds = [(c, None if x is None else x.shape) for c, x in zip(before, inputs, strict=True)]
        blocks = zip(kinds, inputs, strict=True)
        for (width, _), group in itertools.groupby(blocks, key=lambda block: block[0]):
            xs = [x for _, x in group]
            if width != channels or len(xs) < self.min_blocks:
                for x in xs:
                    h = step(owner, counts, h, x)
                    found.append(h)
                continue
            loop = nn.scan(
                _Loop,
                variable_axes={"params": 0},
                split_rngs={"params": True, "dropout": True},
                length=len(xs),
            )
            rows, name = h.shape[0], f"Loop_{counts['Loop']}"
            stacked = None if xs[0] is None else jnp.stack([fold_frames(x) for x in xs])
            last, each = loop(step, rows, name=name)(fold_frames(h), stacked)
            counts["Loop"] += 1
            h = unfold_frames(last, rows)
            found += [unfold_frames(x, rows) for x in each]
        return h, found


class _Loop(nn.Module):
    """One turn: a block whose layers are this module's. Frames go round as pictures in a batch."""

    step: Step
    rows: int

    @nn.compact
    def __call__(self, h: Pictures, x: Pictures | None) -> tuple[Pictures, Pictures]:
        x = None if x is None else unfold_frames(x, self.rows)
        h = fold_frames(self.step(self, Counter(), unfold_frames(h, self.rows), x))
        return h, h
