"""Devices as a grid with named axes."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

BATCH_AXES = ("data", "fsdp")


@dataclasses.dataclass(frozen=True)
class Mesh:
    """How many devices share each kind of work; `-1` takes what is left.

    data: copies of the parameters, each with its share of the batch.
    fsdp: devices that hold one copy between them, and share the batch too.
    """

    data: int = -1
    fsdp: int = 1

    def build(self, devices: Sequence[Any] | None = None) -> jax.sharding.Mesh:
        """The mesh of all devices.

        Raises:
          ValueError: the axes do not multiply to the number of devices.
        """
        devices = jax.devices() if devices is None else devices
        sizes = [self.data, self.fsdp]
        if sizes.count(-1) > 1:
            raise ValueError(f"mesh {self}: only one axis can be -1")
        if -1 in sizes:
            sizes[sizes.index(-1)] = len(devices) // -math.prod(sizes)
        if math.prod(sizes) != len(devices):
            raise ValueError(
                f"mesh data={self.data}, fsdp={self.fsdp} does not fit {len(devices)} devices; "
                "their product must be the number of devices"
            )
        return jax.sharding.Mesh(np.array(devices).reshape(sizes), BATCH_AXES)


def batch_sharding(mesh: jax.sharding.Mesh) -> NamedSharding:
    """Rows of a batch spread over all devices."""
    return NamedSharding(mesh, PartitionSpec(BATCH_AXES))


def video_sharding(mesh: jax.sharding.Mesh, shape: Sequence[int]) -> NamedSharding:
    """One video [b f h w c] over all devices: its frames or, if they do not divide, its rows.

    Convolutions exchange what they need at the edges of the parts. Where neither frames nor rows
    divide by the number of devices, every device has the whole.
    """
    for axis in (1, 2):
        if shape[axis] % mesh.size == 0:
            return NamedSharding(mesh, PartitionSpec(*[None] * axis, BATCH_AXES))
    return NamedSharding(mesh, PartitionSpec())
