"""The programs of an experiment, to be compiled for a mesh, and settings to try with it."""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from vdm_jax import config, models, nn, parallel, sampling, training
from vdm_jax.data import sides, to_uint8
from vdm_jax.sampling.sharded import ShardedTask

Program = tuple[Any, tuple]  # a jitted function, and the shapes and places of its arguments
Settings = tuple[str, ...]  # assignments, as of --set
WAYS: Mapping[str, nn.Remat] = {
    "nn.Never()": nn.Never(),
    "nn.RematLayer(nn.SaveDots())": nn.RematLayer(nn.SaveDots()),
    "nn.RematLayer(nn.SaveConvolutions())": nn.RematLayer(nn.SaveConvolutions()),
    "nn.RematLayer()": nn.RematLayer(),
    "nn.RematLevel()": nn.RematLevel(),
}


@lru_cache(maxsize=4)
def shapes(experiment: training.Experiment) -> tuple[Any, Any, dict[str, jax.ShapeDtypeStruct]]:
    """(state, frozen, batch) of a training step."""
    batch = experiment.loader.shapes(experiment.data, labels=True)
    init = partial(training.init, experiment.task, experiment.optimizer)
    state, frozen = jax.eval_shape(init, jax.random.key(0), batch)
    return state, frozen, batch


def training_step(experiment: training.Experiment, mesh: jax.sharding.Mesh) -> Program:
    """The step that `vdm-jax train` runs, with its places, and the state given away."""
    state, frozen, batch = shapes(experiment)
    state, frozen = (
        parallel.with_shardings(tree, parallel.shardings(tree, mesh)) for tree in (state, frozen)
    )
    batch = parallel.with_shardings(
        batch, jax.tree.map(lambda _: parallel.batch_sharding(mesh), batch)
    )
    run = experiment
    step = training.sharded_step(run.task, run.optimizer, run.steps, state, mesh)
    return step, (state, frozen, batch)


def sampler(experiment: training.Experiment, mesh: jax.sharding.Mesh) -> tuple[Program, int] | None:
    """The program that draws a batch of samples, and how many; None where there is no such one."""
    generator, task, source = experiment.sampling, experiment.task, experiment.data
    if not (isinstance(generator, sampling.Generator) and isinstance(task, training.Denoising)):
        return None
    rows, lowres = parallel.batch_shards(mesh.shape), task.lowres
    fill = lowres is None or generator.batch >= rows
    count = math.ceil(generator.batch / rows) * rows if fill else generator.batch
    rules = parallel.ACTIVATIONS if fill else parallel.ONE_VIDEO
    placed = task if mesh.size == 1 else ShardedTask(task, parallel.MeshRules(mesh, rules))

    video = (count, source.frames, *sides(source.size), 3)
    told: dict[str, Any] = {"label": jax.ShapeDtypeStruct((count,), jnp.int32)}
    if experiment.loader.text is not None:
        for name, row in experiment.loader.text.batch([""]).items():
            told[name] = jax.ShapeDtypeStruct((count, *row.shape[1:]), row.dtype)
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), count))
    small = [] if lowres is None else [jax.eval_shape(lowres.downsample, floats(video))]
    small = [jax.ShapeDtypeStruct(x.shape, jnp.float32) for x in small]

    def sample(params, frozen, keys, told, *small):
        arguments = (placed, params, frozen, keys, models.Conditioning.of(told))
        if small:
            return to_uint8(generator.enlarge(*arguments, *small))
        return to_uint8(generator(*arguments, video))

    state, frozen, _ = shapes(experiment)
    kept = [
        parallel.with_shardings(tree, parallel.shardings(tree, mesh))
        for tree in (state.ema, frozen)
    ]
    spread = parallel.batch_sharding(mesh) if fill else NamedSharding(mesh, PartitionSpec())
    given = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=spread), (keys, told, *small)
    )
    return (jax.jit(sample), (*kept, *given)), count


def floats(shape: Sequence[int]) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(tuple(shape), jnp.float32)


def bytes_each(tree: Any, mesh: Mapping[str, int]) -> float:
    """Bytes of parameters or of a state that one device keeps."""
    total = 0.0
    for path, x in jax.tree_util.tree_leaves_with_path(tree):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        axes = [axis for axis in parallel.parameter_spec(name, x.shape, mesh) if axis]
        total += x.size * np.dtype(x.dtype).itemsize / math.prod(mesh[axis] for axis in axes)
    return total


def candidates(
    experiment: training.Experiment,
    topology: parallel.Topology,
    needed: float,
    memory: float,
) -> Iterator[Settings]:
    """Settings that may fit where `needed` bytes do not, the nearest first.

    The same step with its state split further; cut into parts; both; a smaller batch. What is not
    state is taken to go down with the rows that are there at once.
    """
    state, _, _ = shapes(experiment)
    mesh = topology.shape(experiment.mesh)
    before = bytes_each(state, mesh)
    rest, rows = needed - before, parallel.batch_shards(mesh)
    each = experiment.loader.batch // rows
    finer = [n for n in powers(rows) if n > mesh["fsdp"]]
    cuts = [n for n in powers(each) if n > 1]
    parts = experiment.optimizer.accumulate

    def split(n: int) -> Settings:
        return (f"mesh.data={rows // n}", f"mesh.fsdp={n}")

    def cut(n: int) -> Settings:
        return (f"optimizer.accumulate={parts * n}",)

    tried = [(split(n), n, 1) for n in finer]
    tried += [(cut(n), mesh["fsdp"], n) for n in cuts]
    tried += [((*split(finer[-1]), *cut(n)), finer[-1], n) for n in cuts if finer]
    less = [(f"loader.batch={experiment.loader.batch // n}",) for n in cuts]
    tried += [(batch, mesh["fsdp"], n) for batch, n in zip(less, cuts, strict=True)]
    tried += [((*split(finer[-1]), *batch), finer[-1], n)
              for batch, n in zip(less, cuts, strict=True) if finer]  # fmt: skip
    for settings, fsdp, n in tried:
        kept = bytes_each(state, {**mesh, "fsdp": fsdp, "data": rows // fsdp})
        if kept + rest / n <= memory:
            yield settings


def powers(most: int) -> list[int]:
    """Powers of two that divide a number."""
    return [2**n for n in range(most.bit_length()) if most % 2**n == 0]


def meshes(experiment: training.Experiment, topology: parallel.Topology) -> list[Mapping[str, int]]:
    """Meshes worth a try: no more `tensor` and `frames` than a host has, the state in memory."""
    state, _, _ = shapes(experiment)
    devices, batch = topology.devices, experiment.loader.batch
    found = []
    for frames, tensor in itertools.product((1, 2, 4), repeat=2):
        if frames * tensor > min(4, devices) or experiment.data.frames % frames:
            continue
        rows = devices // (frames * tensor)
        if rows * frames * tensor != devices or batch % rows:
            continue
        for fsdp in powers(rows):
            size = {"data": rows // fsdp, "fsdp": fsdp, "frames": frames, "tensor": tensor}
            if bytes_each(state, size) <= topology.chip.memory / 2:
                found.append(size)
    return found


def splits(experiment: training.Experiment, topology: parallel.Topology) -> list[Settings]:
    """Meshes of as many rows at once as can be, the state split in every way."""
    found = meshes(experiment, topology)
    most = max((parallel.batch_shards(size) for size in found), default=0)
    return [assigned(size) for size in found if parallel.batch_shards(size) == most]


def shares(experiment: training.Experiment, topology: parallel.Topology) -> list[Settings]:
    """Meshes of fewer rows, each shared by more devices, the state split as the experiment says."""
    now = topology.shape(experiment.mesh)
    found = [
        size
        for size in meshes(experiment, topology)
        if parallel.batch_shards(size) < parallel.batch_shards(now)
    ]
    return [
        assigned(size)
        for size in found
        if size["fsdp"] == min(now["fsdp"], parallel.batch_shards(size))
    ]


def assigned(mesh: Mapping[str, int]) -> Settings:
    """The assignments that make a mesh."""
    return tuple(f"mesh.{axis}={size}" for axis, size in mesh.items())


def works(experiment: training.Experiment, topology: parallel.Topology) -> list[Settings]:
    """Batches, parts of them, and levels that are computed again, worth a try."""
    mesh = topology.shape(experiment.mesh)
    batch, parts = experiment.loader.batch, experiment.optimizer.accumulate
    each = batch // parallel.batch_shards(mesh)
    found: list[Settings] = [(f"loader.batch={batch * 2}",)]
    if each > 1:
        found += [(f"loader.batch={batch // 2}",), (f"optimizer.accumulate={parts * 2}",)]
    if parts > 1:
        found.append((f"optimizer.accumulate={parts // 2}",))
    levels = dict(recomputed(experiment))
    for text, way in WAYS.items():
        if any(found_way != way for found_way in levels.values()):
            found.append(tuple(f"{path}={text}" for path in levels))
    return found


def recomputed(node: Any, path: str = "") -> Iterator[tuple[str, nn.Remat]]:
    """Where a tree says what its backward pass computes again, and what it says."""
    if isinstance(node, models.Level):
        yield f"{path}.remat", node.remat
    elif isinstance(node, tuple):
        for i, child in enumerate(node):
            yield from recomputed(child, f"{path}.{i}")
    elif dataclasses.is_dataclass(node):
        for name in config.fields(node):
            yield from recomputed(getattr(node, name), f"{path}.{name}" if path else name)
