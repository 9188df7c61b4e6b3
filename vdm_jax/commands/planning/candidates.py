"""Settings of an experiment that `vdm-jax plan` tries: meshes, batches and rematerialization."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from vdm_jax import config, models, nn, parallel, training

Settings = tuple[str, ...]
"""Assignments, as of `--set`."""
REMATS: Mapping[str, nn.Remat | None] = {
    "None": None,
    "nn.RematLayer(nn.SaveDots())": nn.RematLayer(nn.SaveDots()),
    "nn.RematLayer(nn.SaveConvolutions())": nn.RematLayer(nn.SaveConvolutions()),
    "nn.RematLayer()": nn.RematLayer(),
    "nn.RematLevel()": nn.RematLevel(),
}
MODEL_PARALLEL = 4
"""The most devices that share one clip: those of a host."""


def abstract_state(experiment: training.Experiment) -> training.State:
    """The training state as shapes."""
    return training.abstract_state(experiment, labels=True)[0]


def smaller_candidates(
    experiment: training.Experiment,
    topology: parallel.Topology,
    needed: float,
    memory: float,
) -> Iterator[Settings]:
    """Settings that may fit in `memory` bytes where the step needs `needed`, the nearest first.

    The same step with its state sharded further; with gradient accumulation; both; a smaller batch.
    Memory beside the state is taken to be proportional to the clips in memory at once.
    """
    state = abstract_state(experiment)
    mesh = topology.shape(experiment.mesh)
    activations = needed - parallel.bytes_per_device(state, mesh)
    shards = parallel.batch_shards(mesh)
    finer = [n for n in power_of_two_divisors(shards) if n > mesh["fsdp"]]
    cuts = [n for n in power_of_two_divisors(experiment.loader.batch // shards) if n > 1]

    def fsdp(n: int) -> Settings:
        return (f"mesh.data={shards // n}", f"mesh.fsdp={n}")

    def accumulate(n: int) -> Settings:
        return (f"optimizer.accumulate={experiment.optimizer.accumulate * n}",)

    def smaller_batch(n: int) -> Settings:
        return (f"loader.batch={experiment.loader.batch // n}",)

    tries = [(fsdp(n), n, 1) for n in finer]
    for change in (accumulate, smaller_batch):
        tries += [(change(n), mesh["fsdp"], n) for n in cuts]
        tries += [((*fsdp(finer[-1]), *change(n)), finer[-1], n) for n in cuts if finer]
    for settings, size, n in tries:
        kept = parallel.bytes_per_device(state, {**mesh, "fsdp": size, "data": shards // size})
        if kept + activations / n <= memory:
            yield settings


def power_of_two_divisors(number: int) -> list[int]:
    """The powers of two that divide a number."""
    return [2**n for n in range(number.bit_length()) if number % 2**n == 0]


def meshes(experiment: training.Experiment, topology: parallel.Topology) -> list[Mapping[str, int]]:
    """Meshes to try: `frames` x `tensor` within a host, the state in half of the memory at most."""
    state = abstract_state(experiment)
    devices, batch = topology.devices, experiment.loader.batch
    sizes = []
    for frames, tensor in itertools.product((1, 2, 4), repeat=2):
        if frames * tensor > min(MODEL_PARALLEL, devices) or experiment.data.frames % frames:
            continue
        shards = devices // (frames * tensor)
        if shards * frames * tensor != devices or batch % shards:
            continue
        for fsdp in power_of_two_divisors(shards):
            size = {"data": shards // fsdp, "fsdp": fsdp, "frames": frames, "tensor": tensor}
            if parallel.bytes_per_device(state, size) <= topology.chip.memory / 2:
                sizes.append(size)
    return sizes


def data_parallel_candidates(
    experiment: training.Experiment, topology: parallel.Topology
) -> list[Settings]:
    """Meshes with the most batch shards, the state sharded in every way."""
    sizes = meshes(experiment, topology)
    most = max((parallel.batch_shards(size) for size in sizes), default=0)
    return [mesh_settings(size) for size in sizes if parallel.batch_shards(size) == most]


def model_parallel_candidates(
    experiment: training.Experiment, topology: parallel.Topology
) -> list[Settings]:
    """Meshes with fewer batch shards, the state sharded as the experiment says."""
    current = topology.shape(experiment.mesh)
    return [
        mesh_settings(size)
        for size in meshes(experiment, topology)
        if parallel.batch_shards(size) < parallel.batch_shards(current)
        and size["fsdp"] == min(current["fsdp"], parallel.batch_shards(size))
    ]


def mesh_settings(mesh: Mapping[str, int]) -> Settings:
    """The assignments that make a mesh."""
    return tuple(f"mesh.{axis}={size}" for axis, size in mesh.items())


def batch_and_remat_candidates(
    experiment: training.Experiment, topology: parallel.Topology
) -> list[Settings]:
    """Other batches, gradient accumulation and rematerialization."""
    mesh = topology.shape(experiment.mesh)
    batch, accumulate = experiment.loader.batch, experiment.optimizer.accumulate
    settings: list[Settings] = [(f"loader.batch={batch * 2}",)]
    if batch // parallel.batch_shards(mesh) > 1:
        settings.append((f"loader.batch={batch // 2}",))
        settings.append((f"optimizer.accumulate={accumulate * 2}",))
    if accumulate > 1:
        settings.append((f"optimizer.accumulate={accumulate // 2}",))
    levels = dict(remat_fields(experiment))
    for text, remat in REMATS.items():
        if any(present != remat for present in levels.values()):
            settings.append(tuple(f"{path}={text}" for path in levels))
    return settings


def remat_fields(node: Any, path: str = "") -> Iterator[tuple[str, nn.Remat | None]]:
    """(path, value) of every `remat` field of a level in a tree."""
    if isinstance(node, models.Level):
        yield f"{path}.remat", node.remat
    elif isinstance(node, tuple):
        for i, child in enumerate(node):
            yield from remat_fields(child, f"{path}.{i}")
    elif dataclasses.is_dataclass(node):
        for name in config.fields(node):
            yield from remat_fields(getattr(node, name), f"{path}.{name}" if path else name)
