"""Sharding rules: which mesh axis shards which array axis, of activations and of parameters."""

import dataclasses
import functools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from vdm_jax.parallel.mesh import BATCH_AXES

Rules = tuple[tuple[str, tuple[str, ...]], ...]

ACTIVATION_RULES: Rules = (
    ("b", BATCH_AXES),  # batch elements
    ("p", ("frames",)),  # positions, in a layer over time
    ("f", ("frames",)),  # frames, in a layer over space
    ("h", ("frames",)),  # rows of pixels, where the frames do not divide
    ("k", ("tensor",)),  # heads
    ("e", ("tensor",)),  # features inside a wide layer
)
"""(logical axis, mesh axes); layers name logical axes (see `nn.sharding`). Rules apply in order: a
rule shards an axis whose length divides, over mesh axes that the array does not use yet."""

EVERYWHERE = (*BATCH_AXES, "frames", "tensor")
ONE_VIDEO_RULES: Rules = (("p", EVERYWHERE), ("f", EVERYWHERE), ("h", EVERYWHERE))
"""For a batch of fewer elements than devices: all devices shard each video. Convolutions over
sharded rows of pixels exchange their edges."""

PARAMETER_RULES = (
    (r"(^|/)(qkv|q|kv|in|inner|modulation|shift|convolution_0)/(kernel|bias)$", -1),
    (r"(^|/)(out|outer|convolution_1)/kernel$", -2),
)
"""(pattern of a parameter's path, the axis that `tensor` shards). The first projections of
attention and of wide layers are sharded by output features, the last by input features."""

SCANNED = r"(^|/)Loop_\d+/"
"""Pattern of the path of parameters whose first axis counts scanned blocks (see `nn.ScanBlocks`).
That axis is not sharded; the others are sharded as those of one block."""

MIN_SHARDED = 2**12  # elements; a smaller parameter does not repay a collective


def parameter_spec(path: str, shape: Sequence[int], mesh: Mapping[str, int]) -> PartitionSpec:
    """The sharding of a parameter: `PARAMETER_RULES`, then its largest other axis over `fsdp`.

    Axes that do not divide, and arrays below `MIN_SHARDED`, are not sharded.
    path: such as `down_0/ResBlock_0/.../kernel`. mesh: the length of each mesh axis.
    """
    if re.search(SCANNED, path):
        return PartitionSpec(None, *parameter_spec(re.sub(SCANNED, "/", path), shape[1:], mesh))
    spec: list[str | None] = [None] * len(shape)
    if math.prod(shape) < MIN_SHARDED:
        return PartitionSpec()
    for pattern, axis in PARAMETER_RULES if mesh["tensor"] > 1 else ():
        if re.search(pattern, path) and shape[axis] % mesh["tensor"] == 0:
            spec[axis] = "tensor"
    free = [i for i, s in enumerate(shape) if spec[i] is None and s % mesh["fsdp"] == 0]
    if mesh["fsdp"] > 1 and free:
        spec[max(free, key=lambda i: shape[i])] = "fsdp"
    return PartitionSpec(*spec) if any(spec) else PartitionSpec()


def shardings(tree: Any, mesh: jax.sharding.Mesh) -> Any:
    """The sharding of every array (or shape) in a tree of parameters or optimizer state."""

    def sharding(path, x):
        spec = parameter_spec(jax.tree_util.keystr(path, simple=True, separator="/"), x.shape, size)
        return NamedSharding(mesh, spec)

    size = dict(mesh.shape)
    return jax.tree_util.tree_map_with_path(sharding, tree)


def with_shardings(tree: Any, shardings: Any) -> Any:
    """A tree of arrays as `jax.ShapeDtypeStruct`s. shardings: a tree with one sharding for each."""
    return jax.tree.map(
        lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s), tree, shardings
    )


def bytes_per_device(tree: Any, mesh: Mapping[str, int]) -> float:
    """Bytes on one device of a tree of parameters or optimizer state, sharded by `parameter_spec`.

    mesh: the size of each mesh axis.
    """
    total = 0.0
    for path, x in jax.tree_util.tree_leaves_with_path(tree):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        axes = [axis for axis in parameter_spec(name, x.shape, mesh) if axis]
        total += x.size * np.dtype(x.dtype).itemsize / math.prod(mesh[axis] for axis in axes)
    return total


@dataclasses.dataclass(frozen=True)
class MeshRules:
    """`nn.ShardingRules` of a mesh: logical axis names to sharding constraints.

    mesh: the devices.
    rules: (logical axis, mesh axes) in order of precedence.
    """

    mesh: jax.sharding.Mesh
    rules: Rules = ACTIVATION_RULES

    def mesh_axes(self, shape: Sequence[int], axes: Sequence[str]) -> list[tuple[str, ...]]:
        """The mesh axes that shard each axis of an array."""
        sharded: dict[int, tuple[str, ...]] = {}
        used: set[str] = set()
        for name, over in self.rules:
            over = tuple(axis for axis in over if self.mesh.shape[axis] > 1)
            if not over or name not in axes or used & set(over):
                continue
            if shape[axes.index(name)] % self._size(over) == 0:
                sharded[axes.index(name)] = over
                used |= set(over)
        return [sharded.get(i, ()) for i in range(len(shape))]

    def sharding(self, shape: Sequence[int], axes: Sequence[str]) -> NamedSharding:
        """The sharding of an array."""
        return NamedSharding(self.mesh, PartitionSpec(*self.mesh_axes(shape, axes)))

    def shard_counts(self, shape: Sequence[int], axes: Sequence[str]) -> tuple[int, ...]:
        """The number of shards along each axis of an array."""
        return tuple(self._size(over) for over in self.mesh_axes(shape, axes))

    def constrain(self, array: jax.Array, axes: Sequence[str]) -> jax.Array:
        """The array with a sharding constraint, which its gradient has too."""
        return jax.lax.with_sharding_constraint(array, self.sharding(array.shape, axes))

    def gather(self, kernel: jax.Array, axes: Sequence[str]) -> jax.Array:
        """A parameter all-gathered over `fsdp` before use.

        Its gradient has no constraint: the compiler moves it to the parameter's own sharding.
        """
        return _gather(kernel, self.sharding(kernel.shape, axes))

    def _size(self, over: Sequence[str]) -> int:
        return math.prod(self.mesh.shape[axis] for axis in over)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _gather(kernel: jax.Array, sharding: NamedSharding) -> jax.Array:
    return jax.lax.with_sharding_constraint(kernel, sharding)


def _gather_forward(kernel, sharding):
    return _gather(kernel, sharding), None


def _gather_backward(sharding, _, gradient):
    return (gradient,)


_gather.defvjp(_gather_forward, _gather_backward)
