"""Sharding rules: which axes are sharded, and which batch elements a process loads."""

import dataclasses

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from vdm_jax import parallel
from vdm_jax.parallel.mesh import _grid

pytestmark = pytest.mark.usefixtures("eight_devices")


@pytest.mark.parametrize(
    ("path", "shape", "spec"),
    [
        ("params/down_0/SpatialAttention_0/qkv/kernel", (64, 192), P("fsdp", "tensor")),
        ("ema/down_0/SpatialAttention_0/out/kernel", (64, 64), P("tensor", "fsdp")),
        ("optimizer/1/0/mu/FeedForward_0/in/kernel", (64, 256), P("fsdp", "tensor")),
        ("up_1/ResBlock_0/convolution_0/kernel", (3, 3, 64, 96), P(None, None, "fsdp", "tensor")),
        ("up_1/ResBlock_0/convolution_1/kernel", (3, 3, 96, 64), P(None, None, "tensor", "fsdp")),
        ("text/block_0/feed_forward/out/kernel", (256, 64), P("tensor", "fsdp")),
        ("up_1/ResBlock_0/skip/kernel", (64, 65), P("fsdp")),
        ("main/kernel", (64, 65), P("fsdp")),  # `in` is a whole name
        ("down_0/SpatialAttention_0/qkv/kernel", (64, 191), P("fsdp")),  # does not divide
        ("down_0/SpatialAttention_0/qkv/bias", (192,), P()),  # small
        (
            "up_1/Loop_0/ResBlock_0/convolution_0/kernel",
            (8, 3, 3, 64, 96),
            P(None, None, None, "fsdp", "tensor"),
        ),
        ("mu/down_1/Loop_0/ResBlock_0/norm_0/scale", (8, 1024), P()),  # one block is small
    ],
)
def test_parameters(path, shape, spec):
    sizes = {"data": 2, "fsdp": 4, "frames": 1, "tensor": 2}
    result = tuple(parallel.parameter_spec(path, shape, sizes))
    assert result[: len(spec)] == tuple(spec)
    assert not any(result[len(spec) :])


def test_shardings_of_a_tree_follow_its_paths():
    mesh = parallel.Mesh(data=1, fsdp=2, tensor=4).build()
    tree = {"params": [{"qkv": {"kernel": jax.ShapeDtypeStruct((64, 192), np.float32)}}]}
    (sharding,) = jax.tree.leaves(parallel.shardings(tree, mesh))
    assert sharding.spec == P("fsdp", "tensor")


@pytest.mark.parametrize(
    ("axes", "shape", "counts"),
    [
        ("b f h w c", (4, 8, 6, 6, 3), (2, 2, 1, 1, 1)),
        ("b f h w c", (4, 7, 6, 6, 3), (2, 1, 2, 1, 1)),  # frames do not divide
        ("b f h w c", (1, 1, 1, 1, 3), (1, 1, 1, 1, 1)),  # no axis divides
        ("b f p c", (4, 8, 36, 3), (2, 1, 2, 1)),
        ("b f k n _", (4, 8, 2, 36, 8), (2, 2, 2, 1, 1)),
        ("b p k _ _", (4, 36, 3, 8, 8), (2, 2, 1, 1, 1)),  # three heads
        ("c e", (16, 64), (1, 2)),
    ],
)
def test_activations(axes, shape, counts):
    rules = parallel.MeshRules(parallel.Mesh(data=2, frames=2, tensor=2).build())
    assert rules.shard_counts(shape, axes.split()) == counts


@dataclasses.dataclass(frozen=True)
class Chip:
    """A device of a process and a slice."""

    id: int
    process_index: int
    slice_index: int = 0
    platform: str = "tpu"
    device_kind: str = "a chip"

    @property
    def coords(self):
        return (self.id % 4, 0, 0)

    core_on_chip = 0


def chips(count, per_process):
    return [Chip(n, n // per_process) for n in range(count)]


@pytest.mark.parametrize(
    ("sizes", "per_process", "shards"),
    [
        ((8, 1, 1, 1), 2, [(0, 4), (1, 4), (2, 4), (3, 4)]),
        ((2, 1, 4, 1), 4, [(0, 2), (1, 2)]),
        ((2, 1, 2, 2), 2, [(0, 2), (0, 2), (1, 2), (1, 2)]),  # two processes per video
        ((1, 1, 8, 1), 2, [(0, 1)] * 4),
    ],
)
def test_processes_of_the_same_videos_load_the_same_shard(sizes, per_process, shards, monkeypatch):
    grid = np.array(chips(8, per_process), dtype=object).reshape(sizes)
    mesh = type("Grid", (), {"devices": grid, "shape": dict(
        zip(("data", "fsdp", "frames", "tensor"), sizes, strict=True))})()  # fmt: skip
    for process, expected in enumerate(shards):
        monkeypatch.setattr(jax, "process_index", lambda process=process: process)
        assert parallel.host_shard(mesh) == expected


def test_batch_shards_that_processes_share_in_part_are_rejected():
    grid = np.array(chips(12, 4), dtype=object).reshape(2, 1, 6, 1)
    sizes = {"data": 2, "fsdp": 1, "frames": 6, "tensor": 1}
    with pytest.raises(ValueError, match=r"divisor or a multiple of the devices of a process"):
        parallel.host_shard(type("Grid", (), {"devices": grid, "shape": sizes})())


@pytest.mark.parametrize(("sizes", "across"), [((4, 2, 1, 1), 0), ((1, 8, 1, 1), 1)])
def test_slices_divide_the_axes_that_communicate_least(sizes, across):
    """Along every other axis, neighbors are in one slice."""
    devices = [Chip(n % 4, n // 4, slice_index=n // 4) for n in range(8)]
    slices = np.vectorize(lambda chip: chip.slice_index)(_grid(devices, sizes))
    for axis in range(4):
        assert (np.ptp(slices, axis=axis).max() > 0) == (axis == across)


def test_slices_that_divide_no_axis_are_rejected():
    devices = [Chip(n % 4, n // 4, slice_index=n // 4) for n in range(12)]
    with pytest.raises(ValueError, match=r"3 slices do not divide a mesh of data=1, fsdp=2"):
        _grid(devices, (1, 2, 6, 1))


def test_a_mesh_that_does_not_fit_the_devices_is_rejected():
    with pytest.raises(ValueError, match=r"data=1, fsdp=1, frames=3, tensor=1 does not fit 8"):
        parallel.Mesh(data=1, frames=3).build()
    with pytest.raises(ValueError, match="only one axis can be -1"):
        parallel.Mesh(fsdp=-1).build()
