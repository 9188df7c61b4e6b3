"""Devices as a grid with named axes."""

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
    """How many devices share each kind of work; `-1` takes what is left.

    data: copies of the parameters, each with its share of the batch.
    fsdp: devices that hold one copy between them, and share the batch too.
    frames: devices that share each video: layers over space are given some of its frames, layers
      over time some of its positions. For videos larger than a device's memory.
    tensor: devices that share each layer: heads of attention, inner features of wide layers. They
      talk most, so they are next to one another.

    Of several TPU slices each has a share of `data`, or, where that does not divide, of `fsdp`
    too: what crosses the slow network between them is once a step and not once a layer.
    """

    data: int = -1
    fsdp: int = 1
    frames: int = 1
    tensor: int = 1

    def build(self, devices: Sequence[Any] | None = None) -> jax.sharding.Mesh:
        """The mesh of all devices.

        Raises:
          ValueError: the axes do not multiply to the number of devices.
        """
        devices = jax.devices() if devices is None else devices
        sizes = list(dataclasses.astuple(self))
        if sizes.count(-1) > 1:
            raise ValueError(f"mesh {self}: only one axis can be -1")
        if -1 in sizes:
            sizes[sizes.index(-1)] = len(devices) // -math.prod(sizes)
        names = [field.name for field in dataclasses.fields(self)]
        if math.prod(sizes) != len(devices):
            asked = ", ".join(f"{name}={getattr(self, name)}" for name in names)
            raise ValueError(
                f"mesh {asked} does not fit {len(devices)} devices; "
                "their product must be the number of devices"
            )
        return jax.sharding.Mesh(_grid(devices, sizes), names)


def _grid(devices: Sequence[Any], sizes: Sequence[int]) -> np.ndarray:
    """The devices in the shape of the mesh, neighbours on the wires neighbours in it."""
    if devices[0].platform != "tpu":
        return np.array(devices).reshape(sizes)
    slices = len({getattr(device, "slice_index", 0) for device in devices})
    over = np.ones(len(sizes), int)  # how many slices each axis of the mesh goes over
    over[0] = math.gcd(sizes[0], slices)
    over[1] = slices // over[0]
    if sizes[1] % over[1]:
        raise ValueError(
            f"{slices} slices cannot share a mesh of data={sizes[0]} and fsdp={sizes[1]}: a "
            "multiple of the slices is wanted for data, or for data times fsdp"
        )
    inner = [size // n for size, n in zip(sizes, over, strict=True)]
    if slices == 1:
        return mesh_utils.create_device_mesh(sizes, devices, allow_split_physical_axes=True)
    return mesh_utils.create_hybrid_device_mesh(
        inner, over.tolist(), devices, allow_split_physical_axes=True
    )


def batch_shards(sizes: Mapping[str, int]) -> int:
    """Into how many parts a batch is split by a mesh of these sizes, as of `mesh.shape`."""
    return math.prod(sizes[axis] for axis in BATCH_AXES)


def batch_sharding(mesh: jax.sharding.Mesh) -> NamedSharding:
    """Rows of a batch spread over the devices; those that share videos or layers have the same."""
    return NamedSharding(mesh, PartitionSpec(BATCH_AXES))


def host_shard(mesh: jax.sharding.Mesh) -> tuple[int, int]:
    """(which, of how many): the share of every batch that this process has to load.

    Processes whose devices have the same rows load the same share.

    Raises:
      ValueError: two processes have some rows in common, and not all.
    """
    parts = mesh.devices.reshape(batch_shards(mesh.shape), -1)
    owned: dict[int, set[int]] = {}
    for part, devices in enumerate(parts):
        for device in devices:
            owned.setdefault(device.process_index, set()).add(part)
    shares = sorted({tuple(sorted(found)) for found in owned.values()})
    if sum(map(len, shares)) != len(parts) or len(set(map(len, shares))) > 1:
        raise ValueError(
            f"mesh {dict(mesh.shape)}: of {len(parts)} parts of a batch some are on devices of "
            "processes that do not share all of theirs; make frames times tensor a divisor or a "
            "multiple of the devices of a process"
        )
    return shares.index(tuple(sorted(owned[jax.process_index()]))), len(shares)
