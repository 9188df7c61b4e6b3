"""What is split over which axis of the mesh: the one table, and what follows from it."""

import dataclasses
import functools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jax
from jax.sharding import NamedSharding, PartitionSpec

from vdm_jax.parallel.mesh import BATCH_AXES

Rules = tuple[tuple[str, tuple[str, ...]], ...]

ACTIVATIONS: Rules = (
    ("b", BATCH_AXES),  # rows of the batch
    ("p", ("frames",)),  # positions, in a layer over time
    ("f", ("frames",)),  # frames, in a layer over space
    ("h", ("frames",)),  # rows of pixels, where frames do not divide
    ("k", ("tensor",)),  # heads
    ("e", ("tensor",)),  # features inside a wide layer
)
"""By the names that layers give to axes (see `nn.axes`). The first rule that finds its name, a
length that divides, and axes of the mesh that no other axis of the array has taken, takes them."""

EVERYWHERE = (*BATCH_AXES, "frames", "tensor")
ONE_VIDEO: Rules = (("p", EVERYWHERE), ("f", EVERYWHERE), ("h", EVERYWHERE))
"""For a batch of too few rows: all devices share each video. Convolutions of split rows of pixels
exchange what they need at the edges."""

PARAMETERS = (
    (r"(^|/)(qkv|q|kv|in|inner|modulation|shift|convolution_0)/(kernel|bias)$", -1),
    (r"(^|/)(out|outer|convolution_1)/kernel$", -2),
)
"""By the end of a parameter's path: the axis that `tensor` splits. The first layers of attention
and of wide layers are split by what they give, the last by what they take."""

LOOPS = r"(^|/)Loop_\d+/"
"""By a parameter's path: where the first axis counts the blocks of a loop (see `nn.ScanBlocks`). It
is never split, and the others as those of one block: every turn takes its own from everywhere."""

SMALL = 2**12  # elements; what is smaller is not worth a collective


def parameter_spec(path: str, shape: Sequence[int], mesh: Mapping[str, int]) -> PartitionSpec:
    """How a parameter is kept: by `PARAMETERS`, and its largest other axis over `fsdp`.

    Axes that do not divide, and small arrays, are not split. path: `down_0/ResBlock_0/.../kernel`.
    mesh: the length of each axis of the mesh.
    """
    if re.search(LOOPS, path):
        return PartitionSpec(None, *parameter_spec(re.sub(LOOPS, "/", path), shape[1:], mesh))
    found: list[str | None] = [None] * len(shape)
    if math.prod(shape) < SMALL:
        return PartitionSpec()
    for pattern, axis in PARAMETERS if mesh["tensor"] > 1 else ():
        if re.search(pattern, path) and shape[axis] % mesh["tensor"] == 0:
            found[axis] = "tensor"
    free = [i for i, s in enumerate(shape) if found[i] is None and s % mesh["fsdp"] == 0]
    if mesh["fsdp"] > 1 and free:
        found[max(free, key=lambda i: shape[i])] = "fsdp"
    return PartitionSpec(*found) if any(found) else PartitionSpec()


def shardings(tree: Any, mesh: jax.sharding.Mesh) -> Any:
    """A sharding for every array (or shape) of a tree of parameters or optimizer state."""

    def place(path, x):
        spec = parameter_spec(jax.tree_util.keystr(path, simple=True, separator="/"), x.shape, size)
        return NamedSharding(mesh, spec)

    size = dict(mesh.shape)
    return jax.tree_util.tree_map_with_path(place, tree)


def with_shardings(tree: Any, places: Any) -> Any:
    """The shapes of a tree of arrays, with their places: a sharding for each."""
    return jax.tree.map(
        lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s), tree, places
    )


@dataclasses.dataclass(frozen=True)
class MeshRules:
    """Where activations are, by the names of their axes, and parameters while they are used."""

    mesh: jax.sharding.Mesh
    rules: Rules = ACTIVATIONS

    def split(self, shape: Sequence[int], axes: Sequence[str]) -> list[tuple[str, ...]]:
        """The axes of the mesh that split each axis of an array."""
        found: dict[int, tuple[str, ...]] = {}
        taken: set[str] = set()
        for name, over in self.rules:
            over = tuple(axis for axis in over if self.mesh.shape[axis] > 1)
            if not over or name not in axes or taken & set(over):
                continue
            if shape[axes.index(name)] % self._size(over) == 0:
                found[axes.index(name)] = over
                taken |= set(over)
        return [found.get(i, ()) for i in range(len(shape))]

    def sharding(self, shape: Sequence[int], axes: Sequence[str]) -> NamedSharding:
        """Where an array is."""
        return NamedSharding(self.mesh, PartitionSpec(*self.split(shape, axes)))

    def shard_counts(self, shape: Sequence[int], axes: Sequence[str]) -> tuple[int, ...]:
        """Into how many parts each axis of an array is split."""
        return tuple(self._size(over) for over in self.split(shape, axes))

    def constrain(self, array: jax.Array, axes: Sequence[str]) -> jax.Array:
        """The array, placed; its gradient likewise."""
        return jax.lax.with_sharding_constraint(array, self.sharding(array.shape, axes))

    def gather(self, kernel: jax.Array, axes: Sequence[str]) -> jax.Array:
        """A parameter where it is used: gathered from `fsdp`, whereas activations stay.

        Its gradient is left to the compiler, which brings it to where the parameter is kept.
        """
        return _moved(kernel, self.sharding(kernel.shape, axes))

    def _size(self, over: Sequence[str]) -> int:
        return math.prod(self.mesh.shape[axis] for axis in over)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _moved(kernel: jax.Array, place: NamedSharding) -> jax.Array:
    return jax.lax.with_sharding_constraint(kernel, place)


def _moved_forward(kernel, place):
    return _moved(kernel, place), None


def _moved_backward(place, _, gradient):
    return (gradient,)


_moved.defvjp(_moved_forward, _moved_backward)
