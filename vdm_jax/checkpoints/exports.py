"""Exports: folders with the parameters of a run as safetensors, and its experiment.

`params/...` are the averaged (EMA) parameters and `frozen/...` those that are not trained, by their
paths in the trees. A run that starts from an export has it in its folder `initial`.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from etils import epath

import vdm_jax
from vdm_jax.checkpoints.layout import flatten
from vdm_jax.checkpoints.safetensors import INDEX, SHARD_BYTES, Safetensors, write
from vdm_jax.checkpoints.scopes import CurrentTensors
from vdm_jax.checkpoints.store import (
    LAYOUT,
    CheckpointError,
    Store,
    check_layout,
    check_shapes,
    list_steps,
    write_experiment,
)
from vdm_jax.checkpoints.tensors import Tensors, is_floating
from vdm_jax.storage import local_path

INITIAL = "initial"
NAMES = {"ema": "params", "frozen": "frozen"}
"""The name in exports of each tree of a checkpoint."""


class Export:
    """The folder of an export, read one array at a time, with the reading methods of `Store`."""

    def __init__(self, folder: str | os.PathLike):
        self.folder = local_path(folder)
        files = Safetensors(self.folder / f"model{INDEX}")
        self.tensors = CurrentTensors(files)
        check_layout(files.metadata, self.folder)
        step = files.metadata.get("step", 0)
        if type(step) is not int:
            raise CheckpointError(f"{self.folder} has no valid step in its index: {step!r:.80}")
        self.step = step

    def steps(self) -> list[int]:
        """The step of the export."""
        return [self.step]

    def restore(
        self, like: dict[str, Any], step: int | None = None
    ) -> tuple[int, dict[str, Any], dict[str, Any]]:
        """(step, trees, record) as from `Store.restore`, for `ema`, `frozen` or both.

        Floating types are converted to those of `like`. An array is put on its devices before the
        next is read.

        Raises:
          CheckpointError: another step or another model (names the first array).
        """
        if step not in (None, self.step):
            raise CheckpointError(f"{self.folder} is an export of step {self.step}, not of {step}")
        leaves = export_leaves(like)
        prefixes = tuple(f"{NAMES[tree]}/" for tree in like)
        names = [name for name in self.tensors if name.startswith(prefixes)]
        check_tensors(self.tensors, like, str(self.folder), names)
        # In the order of the files, so that each is opened once.
        arrays = {name: self._load(name, leaves[name]) for name in names}
        structure = jax.tree.structure(like)
        trees = jax.tree.unflatten(structure, [arrays[name] for name in leaves])
        return self.step, trees, {}

    def _load(self, name: str, like: Any) -> jax.Array:
        array = self.tensors[name]
        if array.dtype != like.dtype:
            if not (is_floating(array.dtype) and is_floating(np.dtype(like.dtype))):
                raise CheckpointError(
                    f"{self.folder} is of another model: {name} has elements of {array.dtype}, "
                    f"expected {like.dtype}"
                )
            array = array.astype(like.dtype)
        if getattr(like, "sharding", None) is None:
            return jax.numpy.asarray(array)
        sharded = jax.make_array_from_callback(array.shape, like.sharding, lambda i: array[i])
        return jax.block_until_ready(sharded)

    def close(self) -> None:
        """Does nothing: no file stays open."""


def write_export(
    folder: Path, experiment: Any, tensors: Tensors, step: int, shard_bytes: int = SHARD_BYTES
) -> list[Path]:
    """Writes an export into an existing folder; returns its safetensors files.

    `atomic_folder` makes a folder that appears only when complete.

    shard_bytes: largest size of a file, unless it has a single array.
    """
    metadata = {"vdm_jax": vdm_jax.__version__, "layout": LAYOUT, "step": step}
    file_metadata = {"format": "flax"}
    write_experiment(folder, experiment)
    return write(
        folder, tensors, shard_bytes=shard_bytes, metadata=metadata, file_metadata=file_metadata
    )


def export_of(folder: str | os.PathLike) -> Export | None:
    """The export in a folder, or in its subfolder `initial`; None if there is none."""
    for candidate in (epath.Path(folder) / INITIAL, epath.Path(folder)):
        if (candidate / f"model{INDEX}").exists():
            return Export(candidate)
    return None


def open_run(workdir: str | os.PathLike) -> Store | Export:
    """The checkpoints of a run; if it has none, the export that it is or starts from.

    Raises:
      CheckpointError: there is neither.
    """
    if not list_steps(workdir) and (export := export_of(workdir)) is not None:
        return export
    return Store(workdir)


def parameters(workdir: str | os.PathLike, step: int | None = None) -> tuple[int, Tensors]:
    """(step, arrays) of a run's parameters under the names of exports, read on access.

    Raises:
      CheckpointError: no such checkpoint.
    """
    source = open_run(workdir)
    steps = source.steps()
    if not steps or (step is not None and step not in steps):
        available = f"there are steps {steps}" if steps else "there is none"
        raise CheckpointError(
            f"no checkpoint{'' if step is None else f' of step {step}'} in {workdir}; {available}"
        )
    step = steps[-1] if step is None else step
    return step, source.tensors if isinstance(source, Export) else source.tensors(step, NAMES)


def export_leaves(like: dict[str, Any]) -> dict[str, Any]:
    """The leaves of a checkpoint's trees, in their order, by their names in exports."""
    trees = {tree: flatten(like[tree]) for tree in sorted(like)}  # as jax orders dicts
    return {f"{NAMES[t]}/{path}": leaf for t, tree in trees.items() for path, leaf in tree.items()}


def check_tensors(
    tensors: Tensors, like: dict[str, Any], where: str, names: Iterable[str] | None = None
) -> None:
    """Raises `CheckpointError` if arrays (all, or `names`) are not those of `like`."""
    have = {name: tensors.shape(name) for name in (tensors if names is None else names)}
    check_shapes(
        have, {name: tuple(leaf.shape) for name, leaf in export_leaves(like).items()}, where
    )
