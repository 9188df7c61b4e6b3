"""The step of an experiment in a file: what `plan --save` writes, `train --executable` runs."""

import os
from importlib.metadata import version
from typing import Any

import jax
import numpy as np

from vdm_jax import __version__, config, parallel
from vdm_jax.training.experiment import FREE, Experiment

UNSEEN = tuple(name for name in FREE if name not in ("steps", "mesh"))
"""What of an experiment its step does not depend on."""


def identity(experiment: Experiment, mesh: jax.sharding.Mesh) -> dict[str, Any]:
    """What a compiled step is of: all that has to be the same where it is made and where it runs.

    grid: how many chips lie along each direction, where they lie in a grid.
    """
    record = {name: x for name, x in config.to_json(experiment).items() if name not in UNSEEN}
    devices = list(mesh.devices.flat)
    places = [getattr(device, "coords", ()) for device in devices]
    return {
        "experiment": record | {"mesh": dict(mesh.shape)},
        "chips": devices[0].device_kind,
        "grid": (np.ptp(places, axis=0) + 1).tolist(),
        "vdm_jax": __version__,
        "libtpu": version("libtpu") if devices[0].platform == "tpu" else None,
    }


def write_step(
    path: str | os.PathLike, compiled: Any, experiment: Experiment, mesh: jax.sharding.Mesh
) -> None:
    """Writes the compiled step of an experiment, of batches that have labels (-1 where none)."""
    parallel.write_executable(path, compiled, identity(experiment, mesh))


def check_step(path: str | os.PathLike, experiment: Experiment, mesh: jax.sharding.Mesh) -> None:
    """Nothing, where the file is of this experiment, mesh, chips and versions.

    Raises:
      Misfit: it is not; what differs is said.
    """
    parallel.check_executable(path, identity(experiment, mesh))


def read_step(
    path: str | os.PathLike,
    experiment: Experiment,
    mesh: jax.sharding.Mesh,
    step: Any,
    arguments: tuple[Any, Any, Any],
) -> Any:
    """The compiled step, to be called with (state, frozen, batch).

    step: the function that it was compiled of, traced here for the form of its results.

    Raises:
      Misfit: as `check_step` does.
    """
    results = jax.eval_shape(step, *arguments)
    facts, devices = identity(experiment, mesh), list(mesh.devices.flat)
    return parallel.read_executable(path, facts, arguments, results, devices)


def with_labels(batch: dict[str, Any], shapes: dict[str, Any]) -> dict[str, Any]:
    """A batch in the form of which steps are written: the labels of data that lack them are -1."""
    if "label" in batch:
        return batch
    none = (len(batch["video"]), *shapes["label"].shape[1:])
    return {**batch, "label": np.full(none, -1, np.int32)}
