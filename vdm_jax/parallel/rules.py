"""Which axis of a parameter lives on which axis of the mesh."""

from typing import Any

import jax
from jax.sharding import NamedSharding, PartitionSpec

SMALL = 2**12  # elements; what is smaller is not worth a collective


def parameter_spec(shape: tuple[int, ...], fsdp: int) -> PartitionSpec:
    """The largest axis that divides by `fsdp` is split over it; small arrays are not split."""
    size = 1
    for s in shape:
        size *= s
    divisible = [axis for axis, s in enumerate(shape) if s % fsdp == 0]
    if fsdp == 1 or size < SMALL or not divisible:
        return PartitionSpec()
    split = max(divisible, key=lambda axis: shape[axis])
    return PartitionSpec(*("fsdp" if axis == split else None for axis in range(len(shape))))


def shardings(tree: Any, mesh: jax.sharding.Mesh) -> Any:
    """A sharding for every array (or shape) of a tree of parameters or optimizer state."""
    fsdp = mesh.shape["fsdp"]
    return jax.tree.map(lambda x: NamedSharding(mesh, parameter_spec(x.shape, fsdp)), tree)
