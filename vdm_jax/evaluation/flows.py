"""Where pixels go from one frame to the next: what metrics of motion are given."""

from dataclasses import dataclass
from typing import Protocol

import jax.numpy as jnp
from jaxtyping import Array, Float

from vdm_jax import models
from vdm_jax.evaluation.pretrained import Pretrained
from vdm_jax.types import Params

Frames = Float[Array, "n h w c"]
Field = Float[Array, "n h w 2"]
"""(x, y) in pixels: what is at p in the first frame is at p + flow(p) in the second."""


class Flow(Protocol):
    """A frozen dataclass that maps pairs of frames in 0..255 to the flow between them."""

    @property
    def name(self) -> str:
        """What it is called in results: a warping error without it is no number."""
        ...

    def parameters(self, size: tuple[int, int]) -> Params:
        """What it needs for frames of this height and width."""
        ...

    def __call__(self, params: Params, first: Frames, second: Frames) -> Field: ...


@dataclass(frozen=True)
class RaftFlow:
    """The flow that RAFT sees, of frames whose edges are repeated up to multiples of 8 pixels.

    (Teed & Deng 2020; padded on all sides alike, as their Sintel evaluation does)
    """

    raft: Pretrained = Pretrained(models.Raft.large(), "raft_things")

    @classmethod
    def small(cls) -> "RaftFlow":
        """By the small network."""
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
    """Nothing moves: a warping error by it is the difference between frames."""

    @property
    def name(self) -> str:
        return "still"

    def parameters(self, size: tuple[int, int]) -> Params:
        return {}

    def __call__(self, params: Params, first: Frames, second: Frames) -> Field:
        return jnp.zeros((*first.shape[:3], 2), jnp.float32)


def sample(frames: Frames, places: Field) -> Frames:
    """The frames at places (x, y), linear between pixels, the edge repeated beyond it."""
    n, height, width, channels = frames.shape
    last = jnp.array([width - 1, height - 1], jnp.float32).reshape(1, 1, 1, 2)
    places = jnp.clip(places, 0, last)
    low = jnp.minimum(jnp.floor(places), jnp.maximum(last - 1, 0))
    share = places - low
    column, row = (low[..., i].astype(jnp.int32) for i in (0, 1))
    flat = frames.reshape(n, height * width, channels)

    def at(row: Array, column: Array) -> Array:
        row, column = jnp.minimum(row, height - 1), jnp.minimum(column, width - 1)
        index = (row * width + column).reshape(n, -1, 1)
        return jnp.take_along_axis(flat, index, axis=1).reshape(*places.shape[:3], channels)

    x, y = share[..., :1], share[..., 1:]
    above = at(row, column) * (1 - x) + at(row, column + 1) * x
    below = at(row + 1, column) * (1 - x) + at(row + 1, column + 1) * x
    return above * (1 - y) + below * y


def targets(flow: Field) -> Field:
    """Where pixels are in the next frame, as places (x, y)."""
    rows, columns = jnp.arange(flow.shape[1]), jnp.arange(flow.shape[2])
    grid = jnp.stack(jnp.meshgrid(columns, rows), axis=-1).astype(flow.dtype)
    return grid[None] + flow
