"""Optical flow between consecutive frames, the input of motion metrics."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array, Float

from vdm_jax import models
from vdm_jax.metrics.pretrained import Pretrained
from vdm_jax.types import Params

Frames = Float[Array, "n h w c"]
Field = Float[Array, "n h w 2"]
"""(x, y) in pixels: the content at p in the first frame moves to p + flow(p) in the second."""


@runtime_checkable
class Flow(Protocol):
    """A frozen dataclass that maps pairs of frames in 0..255 to the flow between them."""

    @property
    def name(self) -> str:
        """The name in results; warping errors of different flows are not comparable."""
        ...

    def parameters(self, size: tuple[int, int]) -> Params:
        """The parameters for frames of this (height, width)."""
        ...

    def __call__(self, params: Params, first: Frames, second: Frames) -> Field: ...


@dataclass(frozen=True)
class RaftFlow:
    """RAFT's flow; frames are edge-padded to multiples of 8 pixels, equally on all sides.

    (Teed & Deng 2020; the padding of their Sintel evaluation)

    raft: the network and its weights.
    """

    raft: Pretrained = Pretrained(models.Raft.large(), "raft_things")

    @classmethod
    def small(cls) -> "RaftFlow":
        """RAFT's small network."""
        return cls(Pretrained(models.Raft.small(), "raft_small"))

    @property
    def name(self) -> str:
        return self.raft.name

    def parameters(self, size: tuple[int, int]) -> Params:
        height, width = (-(-side // 8) * 8 for side in size)
        frames = jnp.zeros((1, height, width, 3), jnp.float32)
        return self.raft.parameters(lambda k: self.raft.network.init(k, frames, frames)["params"])

    def __call__(self, params: Params, first: Frames, second: Frames) -> Field:
        height, width = first.shape[1:3]
        (top, bottom), (left, right) = (
            (missing // 2, missing - missing // 2) for missing in (-height % 8, -width % 8)
        )
        around = ((0, 0), (top, bottom), (left, right), (0, 0))
        pair = (jnp.pad(x / 127.5 - 1, around, mode="edge") for x in (first, second))
        flow = self.raft.network.apply({"params": params}, *pair)
        return flow[:, top : top + height, left : left + width]


@dataclass(frozen=True)
class ZeroFlow:
    """Zero flow everywhere; a warping error with it is the plain difference between frames."""

    @property
    def name(self) -> str:
        return "still"

    def parameters(self, size: tuple[int, int]) -> Params:
        return {}

    def __call__(self, params: Params, first: Frames, second: Frames) -> Field:
        return jnp.zeros((*first.shape[:3], 2), jnp.float32)


def bilinear_sample(frames: Frames, positions: Float[Array, "n i j 2"]) -> Float[Array, "n i j c"]:
    """The frames at positions (x, y) in pixels, bilinearly; edge pixels repeat outside."""
    n, height, width, channels = frames.shape
    last = jnp.array([width - 1, height - 1], jnp.float32).reshape(1, 1, 1, 2)
    positions = jnp.clip(positions, 0, last)
    low = jnp.minimum(jnp.floor(positions), jnp.maximum(last - 1, 0))
    fraction = positions - low
    column, row = (low[..., i].astype(jnp.int32) for i in (0, 1))
    flat = frames.reshape(n, height * width, channels)

    def at(row: Array, column: Array) -> Array:
        row, column = jnp.minimum(row, height - 1), jnp.minimum(column, width - 1)
        index = (row * width + column).reshape(n, -1, 1)
        return jnp.take_along_axis(flat, index, axis=1).reshape(*positions.shape[:3], channels)

    x, y = fraction[..., :1], fraction[..., 1:]
    above = at(row, column) * (1 - x) + at(row, column + 1) * x
    below = at(row + 1, column) * (1 - x) + at(row + 1, column + 1) * x
    return above * (1 - y) + below * y


def target_positions(flow: Field) -> Field:
    """The position (x, y) of each pixel in the next frame."""
    rows, columns = jnp.arange(flow.shape[1]), jnp.arange(flow.shape[2])
    grid = jnp.stack(jnp.meshgrid(columns, rows), axis=-1).astype(flow.dtype)
    return grid[None] + flow
