"""Files of compiled training steps: `plan --save` writes them, `train --executable` runs them."""

import os
from importlib.metadata import version
from typing import Any

import jax
import numpy as np

from vdm_jax import __version__, config, parallel
from vdm_jax.interfaces import Batch
from vdm_jax.training.experiment import CHANGEABLE_FIELDS, Experiment
from vdm_jax.training.state import State, Step
from vdm_jax.types import Params

IRRELEVANT_FIELDS = tuple(name for name in CHANGEABLE_FIELDS if name not in ("steps", "mesh"))
"""Fields of an experiment that its compiled step does not depend on."""


def step_facts(experiment: Experiment, mesh: jax.sharding.Mesh) -> dict[str, Any]:
    """JSON that identifies a compiled step: equal where it is compiled and where it runs.

    experiment: the relevant fields.
    chips: the kind of device.
    grid: the number of chips along each direction, for devices that lie in a grid.
    vdm_jax, libtpu: versions.
    """
    record = config.to_json(experiment)
    record = {name: x for name, x in record.items() if name not in IRRELEVANT_FIELDS}
    devices = list(mesh.devices.flat)
    coordinates = [getattr(device, "coords", ()) for device in devices]
    return {
        "experiment": record | {"mesh": dict(mesh.shape)},
        "chips": devices[0].device_kind,
        "grid": (np.ptp(coordinates, axis=0) + 1).tolist(),
        "vdm_jax": __version__,
        "libtpu": version("libtpu") if devices[0].platform == "tpu" else None,
    }


def write_step(
    path: str | os.PathLike,
    compiled: jax.stages.Compiled,
    experiment: Experiment,
    mesh: jax.sharding.Mesh,
) -> None:
    """Writes an experiment's compiled step, for batches with labels (-1 for clips without one)."""
    parallel.write_executable(path, compiled, step_facts(experiment, mesh))


def check_step(path: str | os.PathLike, experiment: Experiment, mesh: jax.sharding.Mesh) -> None:
    """Checks that a file holds the step of this experiment, mesh, chips and versions.

    Raises:
      ExecutableMismatch: it differs; the message lists the differences.
    """
    parallel.check_executable(path, step_facts(experiment, mesh))


def read_step(
    path: str | os.PathLike,
    experiment: Experiment,
    mesh: jax.sharding.Mesh,
    step: Step,
    arguments: tuple[State, Params, Batch],
) -> Step:
    """The compiled step of a file, called with (state, frozen, batch).

    step: the function that was compiled, traced for the structure of its results.

    Raises:
      ExecutableMismatch: as `check_step`.
    """
    results = jax.eval_shape(step, *arguments)
    facts, devices = step_facts(experiment, mesh), list(mesh.devices.flat)
    return parallel.read_executable(path, facts, arguments, results, devices)


def add_missing_labels(
    batch: dict[str, np.ndarray], shapes: dict[str, jax.ShapeDtypeStruct]
) -> dict[str, np.ndarray]:
    """A batch with labels of -1 if it has none: compiled steps take batches with labels.

    shapes: of a global batch with labels.
    """
    if "label" in batch:
        return batch
    shape = (len(batch["video"]), *shapes["label"].shape[1:])
    return {**batch, "label": np.full(shape, -1, np.int32)}
