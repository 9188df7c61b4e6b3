"""Exports: the parameters of a run as safetensors beside its experiment, a folder that travels.

`params/...` are the averaged parameters and `frozen/...` those that were never trained, by their
paths in the trees. A run that begins with an export has it in its folder `initial`.
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
from vdm_jax.checkpoints.safetensors import INDEX, SHARD, Safetensors, write
from vdm_jax.checkpoints.store import (
    LAYOUT,
    CheckpointError,
    Store,
    check_layout,
    compare,
    steps_in,
    write_experiment,
)
from vdm_jax.checkpoints.tensors import Tensors, floating
from vdm_jax.storage import local_path

INITIAL = "initial"
NAMES = {"ema": "params", "frozen": "frozen"}
"""What a tree of a checkpoint is called in an export."""


class Export:
    """The folder of an export, read one array at a time; it can be asked what a `Store` can."""

    def __init__(self, folder: str | os.PathLike):
        self.folder = local_path(folder)
        self.tensors = Safetensors(self.folder / f"model{INDEX}")
        check_layout(self.tensors.metadata, self.folder)
        step = self.tensors.metadata.get("step", 0)
        if type(step) is not int:
            raise CheckpointError(f"{self.folder} does not say of which step it is: {step!r:.80}")
        self.step = step

    def steps(self) -> list[int]:
        """The one step that it is of."""
        return [self.step]

    def restore(
        self, like: dict[str, Any], step: int | None = None
    ) -> tuple[int, dict[str, Any], dict[str, Any]]:
        """(step, trees, record) as of `Store.restore`, for `ema`, `frozen` or both.

        Floating types become those asked for. An array is on its devices before the next is read.

        Raises:
          CheckpointError: another step or another model (names the first array).
        """
        if step not in (None, self.step):
            raise CheckpointError(f"{self.folder} is an export of step {self.step}, not of {step}")
        leaves = named(like)
        prefixes = tuple(f"{NAMES[tree]}/" for tree in like)
        asked = [name for name in self.tensors if name.startswith(prefixes)]
        check(self.tensors, like, str(self.folder), asked)
        # In the order of the files, so that each is opened once.
        found = {name: self._placed(name, leaves[name]) for name in asked}
        structure = jax.tree.structure(like)
        trees = jax.tree.unflatten(structure, [found[name] for name in leaves])
        return self.step, trees, {}

    def _placed(self, name: str, like: Any) -> jax.Array:
        array = self.tensors[name]
        if array.dtype != like.dtype:
            if not (floating(array.dtype) and floating(np.dtype(like.dtype))):
                raise CheckpointError(
                    f"{self.folder} is of another model: {name} has elements of {array.dtype}, "
                    f"expected {like.dtype}"
                )
            array = array.astype(like.dtype)
        if getattr(like, "sharding", None) is None:
            return jax.numpy.asarray(array)
        placed = jax.make_array_from_callback(array.shape, like.sharding, lambda i: array[i])
        return jax.block_until_ready(placed)

    def close(self) -> None:
        """Nothing is kept open."""


def write_export(
    folder: Path, experiment: Any, tensors: Tensors, step: int, shard: int = SHARD
) -> list[Path]:
    """Writes an export into a folder that is there; see `atomic_folder` for one that appears
    complete."""
    said = {"vdm_jax": vdm_jax.__version__, "layout": LAYOUT, "step": step}
    within = {"format": "flax"}
    write_experiment(folder, experiment)
    return write(folder, tensors, shard=shard, metadata=said, within=within)


def export_of(folder: str | os.PathLike) -> Export | None:
    """The export that a folder is or begins with; None if there is none."""
    for candidate in (epath.Path(folder) / INITIAL, epath.Path(folder)):
        if (candidate / f"model{INDEX}").exists():
            return Export(candidate)
    return None


def open_run(workdir: str | os.PathLike) -> Store | Export:
    """The parameters of a run, from its checkpoints, or from the export that it is or begins with.

    Raises:
      CheckpointError: there is neither.
    """
    if not steps_in(workdir) and (export := export_of(workdir)) is not None:
        return export
    return Store(workdir)


def parameters(workdir: str | os.PathLike, step: int | None = None) -> tuple[int, Tensors]:
    """(step, arrays) of a run's parameters under the names of exports, read one at a time.

    Raises:
      CheckpointError: no such checkpoint.
    """
    source = open_run(workdir)
    known = source.steps()
    if not known or (step is not None and step not in known):
        there = f"there are steps {known}" if known else "there is none"
        raise CheckpointError(
            f"no checkpoint{'' if step is None else f' of step {step}'} in {workdir}; {there}"
        )
    step = known[-1] if step is None else step
    return step, source.tensors if isinstance(source, Export) else source.tensors(step, NAMES)


def named(like: dict[str, Any]) -> dict[str, Any]:
    """The leaves of a checkpoint's trees, in their order, by the names that exports have."""
    trees = {tree: flatten(like[tree]) for tree in sorted(like)}  # as jax orders dicts
    return {
        f"{NAMES[t]}/{path}": leaf for t, found in trees.items() for path, leaf in found.items()
    }


def check(
    tensors: Tensors, like: dict[str, Any], where: str, names: Iterable[str] | None = None
) -> None:
    """Refuses arrays, all or those of `names`, that are not those of `like`, naming the first."""
    have = {name: tensors.shape(name) for name in (tensors if names is None else names)}
    compare(have, {name: tuple(leaf.shape) for name, leaf in named(like).items()}, where)
