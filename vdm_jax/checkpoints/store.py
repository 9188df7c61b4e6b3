"""Checkpoints of a run: orbax arrays by step, and beside them the experiment that they are of."""

import dataclasses
import json
import logging
import os
from importlib import metadata
from typing import Any

import jax
import orbax.checkpoint as ocp
from etils import epath

import vdm_jax
from vdm_jax import config

log = logging.getLogger("vdm_jax.checkpoints")

EXPERIMENT = "experiment.json"
TREES = ("params", "ema", "optimizer", "counters", "frozen")
PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy")


class CheckpointError(ValueError):
    """A checkpoint that is not there, or is of something else."""


@dataclasses.dataclass(frozen=True)
class Checkpoints:
    """When to save and what to keep.

    every: steps between checkpoints. keep: how many of the newest stay.
    keep_every: checkpoints at multiples of this step stay for good.
    """

    every: int = 1000
    keep: int = 3
    keep_every: int | None = None

    def open(self, workdir: str | os.PathLike) -> "Store":
        """The store of a run; what is in it already stays."""
        return Store(workdir, self)


class Store:
    """The checkpoints of one run: trees of arrays, named as in `TREES`, and one JSON record.

    Saving is asynchronous and atomic: a checkpoint is there whole or not at all.
    """

    def __init__(self, workdir: str | os.PathLike, policy: Checkpoints = Checkpoints()):
        self.folder = epath.Path(os.path.abspath(workdir)) / "checkpoints"
        options = ocp.CheckpointManagerOptions(
            max_to_keep=policy.keep, keep_period=policy.keep_every, create=True
        )
        handlers = {name: ocp.StandardCheckpointHandler() for name in TREES}
        self.manager = ocp.CheckpointManager(
            self.folder,
            options=options,
            item_handlers={**handlers, "record": ocp.JsonCheckpointHandler()},
        )

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, in order."""
        return sorted(self.manager.all_steps())

    def save(self, step: int, trees: dict[str, Any], record: dict[str, Any]) -> None:
        """Starts to write the checkpoint of a step; does nothing if it is there."""
        if step in self.manager.all_steps():
            return
        items = {name: ocp.args.StandardSave(tree) for name, tree in trees.items()}
        self.manager.save(
            step, args=ocp.args.Composite(record=ocp.args.JsonSave(record), **items), force=True
        )

    def restore(
        self, like: dict[str, Any], step: int | None = None
    ) -> tuple[int, dict[str, Any], dict[str, Any]]:
        """(step, trees, record) of the newest readable checkpoint, or of the step asked for.

        like: trees of arrays or `jax.ShapeDtypeStruct`s; their shardings are those of the result.

        Raises:
          CheckpointError: no such checkpoint, or one of another model (names the first array).
        """
        steps = self.steps() if step is None else [step]
        if not steps or steps[-1] not in self.steps():
            there = f"there are steps {self.steps()}" if self.steps() else "there is none"
            raise CheckpointError(
                f"no checkpoint{'' if step is None else f' of step {step}'} in {self.folder}; "
                f"{there}"
            )
        for index, candidate in enumerate(reversed(steps), start=1):
            try:
                self._compare(candidate, like)
                items = {name: ocp.args.StandardRestore(tree) for name, tree in like.items()}
                found = self.manager.restore(
                    candidate, args=ocp.args.Composite(record=ocp.args.JsonRestore(), **items)
                )
                return candidate, {name: found[name] for name in like}, found["record"]
            except CheckpointError:
                raise
            except Exception as error:
                if index == len(steps):
                    raise CheckpointError(
                        f"the checkpoint of step {candidate} in {self.folder} cannot be read: "
                        f"{str(error).splitlines()[0]}"
                    ) from error
                log.warning("checkpoint of step %d cannot be read (%s); trying the one before",
                            candidate, str(error).splitlines()[0])  # fmt: skip
        raise AssertionError("unreachable")

    def forget_after(self, step: int) -> None:
        """Deletes the checkpoints after a step: a run that goes on there makes them again."""
        for later in [s for s in self.steps() if s > step]:
            self.manager.delete(later)

    def _compare(self, step: int, like: dict[str, Any]) -> None:
        """Refuses a checkpoint whose arrays are not those asked for, naming the first."""
        stored = self.manager.item_metadata(step)
        for name, tree in like.items():
            if stored.get(name) is None:
                raise CheckpointError(f"the checkpoint of step {step} holds no {name!r}")
            have, want = shapes(stored[name]), shapes(tree)
            for path in want:
                if path not in have:
                    raise CheckpointError(
                        f"the checkpoint of step {step} in {self.folder} is of another model: "
                        f"it has no {name}{path}; {config.nearest(path, have)}"
                    )
                if have[path] != want[path]:
                    raise CheckpointError(
                        f"the checkpoint of step {step} in {self.folder} is of another model: "
                        f"{name}{path} is {have[path]}, expected {want[path]}"
                    )
            if extra := have.keys() - want.keys():
                raise CheckpointError(
                    f"the checkpoint of step {step} in {self.folder} is of another model: "
                    f"it has {name}{min(extra)}, which this one has not"
                )

    def wait(self) -> None:
        """Returns when everything saved is on disk."""
        self.manager.wait_until_finished()

    def close(self) -> None:
        """Waits, and lets go of the folder."""
        self.manager.wait_until_finished()
        self.manager.close()


def shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    """The shape of every array of a tree by its path, `['input']['kernel']`."""
    leaves = jax.tree_util.tree_leaves_with_path(tree, is_leaf=lambda x: hasattr(x, "shape"))
    return {
        "".join(f"[{_name(k)!r}]" for k in path): tuple(leaf.shape)
        for path, leaf in leaves
        if hasattr(leaf, "shape")
    }


def _name(key: Any) -> str:
    for attribute in ("key", "name", "idx"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


def write_experiment(workdir: str | os.PathLike, experiment: Any) -> None:
    """Writes `experiment.json`: every field of the experiment and the versions that run it."""
    versions = {"vdm_jax": vdm_jax.__version__} | {p: metadata.version(p) for p in PACKAGES}
    text = json.dumps(
        {"experiment": config.to_json(experiment), "versions": versions}, indent=2, sort_keys=False
    )
    folder = epath.Path(workdir)
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{EXPERIMENT}.partial"
    partial.write_text(text + "\n")
    partial.replace(folder / EXPERIMENT)


def read_experiment(workdir: str | os.PathLike) -> Any:
    """The experiment of a run, from its `experiment.json` alone.

    Raises:
      CheckpointError: the folder is no run.
    """
    path = epath.Path(workdir) / EXPERIMENT
    if not path.exists():
        raise CheckpointError(
            f"{workdir} is not a run: it has no {EXPERIMENT}; "
            "give the --workdir of a `vdm-jax train`"
        )
    try:
        return config.from_json(json.loads(path.read_text())["experiment"])
    except (json.JSONDecodeError, KeyError) as error:
        raise CheckpointError(f"{path} is not an experiment: {error}") from None
