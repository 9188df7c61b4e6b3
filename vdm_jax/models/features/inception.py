"""Inception-v3, the network of FID: TensorFlow's of 2015-12-05, with 1008 classes.

(Szegedy et al. 2016, arXiv 1512.00567, table 1; Heusel et al. 2017, arXiv 1706.08500)
"""

from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdm_jax.models.features.space_time import EXACT
from vdm_jax.nn import BatchNorm

Step = tuple[str, int, int | tuple[int, int], int]
"""A convolution of a branch: its name, width, kernel, stride."""

Branch = tuple[tuple[Step, ...], ...]
"""Convolutions in sequence; the last item may be several, whose outputs are concatenated."""


def _chain(*steps: Step) -> Branch:
    return tuple((step,) for step in steps)


def _a(pooled: int) -> tuple[Branch, ...]:
    return (
        _chain(("1x1", 64, 1, 1)),
        _chain(("5x5_1", 48, 1, 1), ("5x5_2", 64, 5, 1)),
        _chain(("3x3dbl_1", 64, 1, 1), ("3x3dbl_2", 96, 3, 1), ("3x3dbl_3", 96, 3, 1)),
        _chain(("pool", pooled, 1, 1)),
    )


def _b() -> tuple[Branch, ...]:
    return (
        _chain(("3x3", 384, 3, 2)),
        _chain(("3x3dbl_1", 64, 1, 1), ("3x3dbl_2", 96, 3, 1), ("3x3dbl_3", 96, 3, 2)),
    )


def _c(inner: int) -> tuple[Branch, ...]:
    across, down = (1, 7), (7, 1)
    single = (("7x7_1", inner, 1, 1), ("7x7_2", inner, across, 1), ("7x7_3", 192, down, 1))
    double = (
        *(("7x7dbl_1", inner, 1, 1), ("7x7dbl_2", inner, down, 1), ("7x7dbl_3", inner, across, 1)),
        *(("7x7dbl_4", inner, down, 1), ("7x7dbl_5", 192, across, 1)),
    )
    ends = _chain(("1x1", 192, 1, 1)), _chain(("pool", 192, 1, 1))
    return (ends[0], _chain(*single), _chain(*double), ends[1])


def _d() -> tuple[Branch, ...]:
    across, down = (1, 7), (7, 1)
    both = (("7x7x3_2", 192, across, 1), ("7x7x3_3", 192, down, 1), ("7x7x3_4", 192, 3, 2))
    return (
        _chain(("3x3_1", 192, 1, 1), ("3x3_2", 320, 3, 2)),
        _chain(("7x7x3_1", 192, 1, 1), *both),
    )


def _e() -> tuple[Branch, ...]:
    def both(name: str) -> tuple[Step, ...]:
        return ((f"{name}a", 384, (1, 3), 1), (f"{name}b", 384, (3, 1), 1))

    return (
        _chain(("1x1", 320, 1, 1)),
        (*_chain(("3x3_1", 384, 1, 1)), both("3x3_2")),
        (*_chain(("3x3dbl_1", 448, 1, 1), ("3x3dbl_2", 384, 3, 1)), both("3x3dbl_3")),
        _chain(("pool", 192, 1, 1)),
    )


BLOCKS: dict[str, tuple[Branch, ...]] = {
    "5b": _a(32),
    "5c": _a(64),
    "5d": _a(64),
    "6a": _b(),
    "6b": _c(128),
    "6c": _c(160),
    "6d": _c(160),
    "6e": _c(192),
    "7a": _d(),
    "7b": _e(),
    "7c": _e(),
}
STRIDED = ("6a", "7a")
"""Blocks with stride 2, which also append the max-pooled input."""
MAX_POOLED = ("7c",)
"""Blocks whose pool takes the maximum of each window instead of the mean."""


class InceptionOutputs(NamedTuple):
    """The last feature maps averaged over each frame, and the logits."""

    pool: Float[Array, "*b 2048"]
    logits: Float[Array, "*b 1008"]


class Inception(nn.Module):
    """`[*b 299 299 3]` to 2048 features, those of FID, and 1008 logits.

    Values are R, G, B in [-1, 1]. As in TensorFlow's published graph, average pools exclude the
    padding, and the last block has a max pool.

    size: pixels on a side.
    """

    size: int = 299

    @nn.compact
    def __call__(self, frames: Float[Array, "*b h w 3"]) -> InceptionOutputs:
        *leading, height, width, _ = frames.shape
        if (height, width) != (self.size, self.size):
            raise ValueError(
                f"Inception takes frames of {self.size} x {self.size} pixels, not {height} x "
                f"{width}; resize them first"
            )
        h = frames.reshape(-1, *frames.shape[-3:])
        h = Unit(32, 3, 2, "VALID", name="convolution_1a")(h)
        h = Unit(32, 3, padding="VALID", name="convolution_2a")(h)
        h = Unit(64, 3, name="convolution_2b")(h)
        h = Unit(80, 1, name="convolution_3b")(_max_pool(h))
        h = _max_pool(Unit(192, 3, padding="VALID", name="convolution_4a")(h))
        for name in BLOCKS:
            h = Block(name, name=f"mixed_{name}")(h)
        pool = h.mean(axis=(1, 2))
        logits = nn.Dense(1008, precision=EXACT, name="logits")(pool)
        return InceptionOutputs(pool.reshape(*leading, -1), logits.reshape(*leading, -1))


class Block(nn.Module):
    """Concatenated branches, one of which begins with a pool.

    kind: a name of `BLOCKS`.
    """

    kind: str

    @nn.compact
    def __call__(self, h: Float[Array, "n h w c"]) -> Float[Array, "n i j d"]:
        branches = []
        for branch in BLOCKS[self.kind]:
            outputs = (self._pool(h) if branch[0][0][0] == "pool" else h,)
            for steps in branch:
                (before,) = outputs
                outputs = tuple(self._unit(*step)(before) for step in steps)
            branches += outputs
        if self.kind in STRIDED:
            branches.append(_max_pool(h))
        return jnp.concatenate(branches, axis=-1)

    def _unit(self, name: str, width: int, kernel: int | tuple[int, int], stride: int) -> "Unit":
        padding = "VALID" if stride > 1 else "SAME"
        return Unit(width, kernel, stride, padding, name=f"branch_{name}")

    def _pool(self, h: Array) -> Array:
        if self.kind in MAX_POOLED:
            return nn.max_pool(h, (3, 3), (1, 1), "SAME")
        return nn.avg_pool(h, (3, 3), (1, 1), "SAME", count_include_pad=False)


class Unit(nn.Module):
    """A convolution without bias, a batch norm and a ReLU."""

    width: int
    kernel: int | tuple[int, int]
    stride: int = 1
    padding: str = "SAME"

    @nn.compact
    def __call__(self, h: Float[Array, "n h w c"]) -> Float[Array, "n i j d"]:
        sides = (self.kernel, self.kernel) if isinstance(self.kernel, int) else self.kernel
        h = nn.Conv(self.width, sides, self.stride, self.padding, use_bias=False, precision=EXACT,
                    name="convolution")(h)  # fmt: skip
        return nn.relu(BatchNorm(1e-3, name="norm")(h))


def _max_pool(h: Array) -> Array:
    return nn.max_pool(h, (3, 3), (2, 2))
