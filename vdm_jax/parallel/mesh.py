"""Device meshes: `jax.sharding.Mesh` with the axes data, fsdp, frames and tensor."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import mesh_utils
from jax.sharding import NamedSharding, PartitionSpec

BATCH_AXES = ("data", "fsdp")


@dataclasses.dataclass(frozen=True)
class Mesh:
    """The length of each mesh axis. The product is the number of devices; one axis may be `-1`.

    data: replicas of the parameters; each takes a shard of the batch.
    fsdp: devices that shard one replica's parameters, and its batch shard.
    frames: devices that shard each video: by frames in layers over space, by positions in layers
      over time. For videos that exceed one device's memory.
    tensor: devices that shard each layer: attention heads, inner features of wide layers. This axis
      communicates most, so its devices are neighbors.

    Several TPU slices divide `data`, and `fsdp` too where `data` does not divide: the slow network
    between slices then carries one exchange per step, not one per layer.
    """

    data: int = -1
    fsdp: int = 1
    frames: int = 1
    tensor: int = 1

    def build(self, devices: Sequence[Any] | None = None) -> jax.sharding.Mesh:
        """The mesh of these devices, by default of all.

        Raises:
          ValueError: the product of the axes is not the number of devices.
        """
        devices = jax.devices() if devices is None else devices
        sizes = list(dataclasses.astuple(self))
        if sizes.count(-1) > 1:
            raise ValueError(f"mesh {self}: only one axis can be -1")
        if -1 in sizes:
            sizes[sizes.index(-1)] = len(devices) // -math.prod(sizes)
        names = [field.name for field in dataclasses.fields(self)]
        if math.prod(sizes) != len(devices):
            lengths = ", ".join(f"{name}={getattr(self, name)}" for name in names)
            raise ValueError(
                f"mesh {lengths} does not fit {len(devices)} devices; "
                "their product must be the number of devices"
            )
        return jax.sharding.Mesh(_grid(devices, sizes), names)


def _grid(devices: Sequence[Any], sizes: Sequence[int]) -> np.ndarray:
    """The devices in the mesh's shape; devices linked by ICI become neighbors in it."""
    if devices[0].platform != "tpu":
        return np.array(devices).reshape(sizes)
    slices = len({getattr(device, "slice_index", 0) for device in devices})
    across = np.ones(len(sizes), int)  # slices that each mesh axis spans
    across[0] = math.gcd(sizes[0], slices)
    across[1] = slices // across[0]
    if sizes[1] % across[1]:
        raise ValueError(
            f"{slices} slices do not divide a mesh of data={sizes[0]}, fsdp={sizes[1]}: make data, "
            "or data times fsdp, a multiple of the number of slices"
        )
    within = [size // n for size, n in zip(sizes, across, strict=True)]
    if slices == 1:
        return mesh_utils.create_device_mesh(sizes, devices, allow_split_physical_axes=True)
    return mesh_utils.create_hybrid_device_mesh(
        within, across.tolist(), devices, allow_split_physical_axes=True
    )


def batch_shards(sizes: Mapping[str, int]) -> int:
    """The number of shards of a batch. sizes: the length of each mesh axis, as `mesh.shape`."""
    return math.prod(sizes[axis] for axis in BATCH_AXES)


def batch_sharding(mesh: jax.sharding.Mesh) -> NamedSharding:
    """Batch elements sharded over `data` and `fsdp`, replicated over `frames` and `tensor`."""
    return NamedSharding(mesh, PartitionSpec(BATCH_AXES))


def host_shard(mesh: jax.sharding.Mesh) -> tuple[int, int]:
    """(index, count): the shard of every batch that this process loads.

    Processes whose devices hold the same batch elements load the same shard.

    Raises:
      ValueError: two processes have some batch elements in common, but not all.
    """
    shards = mesh.devices.reshape(batch_shards(mesh.shape), -1)
    owned: dict[int, set[int]] = {}
    for shard, devices in enumerate(shards):
        for device in devices:
            owned.setdefault(device.process_index, set()).add(shard)
    groups = sorted({tuple(sorted(owner)) for owner in owned.values()})
    if sum(map(len, groups)) != len(shards) or len(set(map(len, groups))) > 1:
        raise ValueError(
            f"mesh {dict(mesh.shape)}: two processes have some of the {len(shards)} batch shards "
            "in common, but not all; make frames times tensor a divisor or a multiple of the "
            "devices of a process"
        )
    return groups.index(tuple(sorted(owned[jax.process_index()]))), len(groups)
