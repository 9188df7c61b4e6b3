"""Checkpoints of a run: orbax arrays by step, and beside them the experiment that they are of."""

import dataclasses
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath

import vdm_jax
from vdm_jax import config

log = logging.getLogger("vdm_jax.checkpoints")

EXPERIMENT = "experiment.json"
FOLDER = "checkpoints"
TREES = ("params", "ema", "optimizer", "counters", "frozen")
LAYOUT = 1
"""Of the files of checkpoints and exports; it grows when older releases cannot read newer files."""
PART = 2**20
"""Bytes. An array that several devices have is written by all of them, in parts no smaller; by one
where it is too small for that, for each part of each shape is cut by a program of its own."""
ARRAYS = ocp.type_handlers.create_type_handler_registry(
    (np.ndarray, ocp.type_handlers.NumpyHandler()),
    (jax.Array, ocp.type_handlers.ArrayHandler(min_slice_bytes_for_replica_parallel=PART)),
)
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

    def open(self, workdir: str | os.PathLike, stay: Sequence[int] = ()) -> "Store":
        """The store of a run; what is in it already stays, and of new ones those of `stay`."""
        return Store(workdir, self, stay)


class Store:
    """The checkpoints of one run: trees of arrays, named as in `TREES`, and one JSON record.

    Saving is asynchronous and atomic: a checkpoint is there whole or not at all.
    """

    def __init__(
        self,
        workdir: str | os.PathLike,
        policy: Checkpoints = Checkpoints(),
        stay: Sequence[int] = (),
    ):
        self.folder = absolute(workdir) / FOLDER
        policies = ocp.checkpoint_managers.preservation_policy
        kept = [policies.LatestN(policy.keep), policies.CustomSteps(list(stay))]
        if policy.keep_every is not None:
            kept.append(policies.EveryNSteps(policy.keep_every))
        options = ocp.CheckpointManagerOptions(
            preservation_policy=policies.AnyPreservationPolicy(kept), create=True
        )
        handlers = {
            name: ocp.PyTreeCheckpointHandler(type_handler_registry=ARRAYS) for name in TREES
        }
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
        record = {"vdm_jax": vdm_jax.__version__, "layout": LAYOUT, **record}
        items = {name: ocp.args.PyTreeSave(tree) for name, tree in trees.items()}
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
                items = {
                    name: ocp.args.PyTreeRestore(
                        tree, ocp.checkpoint_utils.construct_restore_args(tree)
                    )
                    for name, tree in like.items()
                }
                found = self.manager.restore(
                    candidate, args=ocp.args.Composite(record=ocp.args.JsonRestore(), **items)
                )
                check_layout(found["record"], self.folder / str(candidate))
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
        for name in like:
            if stored.get(name) is None:
                raise CheckpointError(f"the checkpoint of step {step} holds no {name!r}")
        have, want = (
            {f"{name}{path}": shape for name in like for path, shape in shapes(trees[name]).items()}
            for trees in (stored, like)
        )
        compare(have, want, f"the checkpoint of step {step} in {self.folder}")

    def tensors(self, step: int, names: Mapping[str, str]) -> "Stored":
        """The arrays of a step's trees, read when asked for; `names` says what trees are called."""
        return Stored(self, step, names)

    def wait(self) -> None:
        """Returns when everything saved is on disk."""
        self.manager.wait_until_finished()

    def close(self) -> None:
        """Waits, and lets go of the folder."""
        self.manager.wait_until_finished()
        self.manager.close()


class Stored(Mapping[str, np.ndarray]):
    """Arrays of a checkpoint by path, `params/input/kernel`, one at a time on the host."""

    def __init__(self, store: Store, step: int, names: Mapping[str, str]):
        self._folder, self._leaves = store.folder / str(step), {}
        self._handler = ocp.PyTreeCheckpointHandler()
        there = store.manager.item_metadata(step)
        for tree, called in names.items():
            leaves = [] if there.get(tree) is None else _leaves(there[tree])
            for path, leaf in leaves:
                keys = [_name(key) for key in path]
                self._leaves["/".join((called, *keys))] = tree, keys, leaf

    def __iter__(self) -> Iterator[str]:
        return iter(self._leaves)

    def __len__(self) -> int:
        return len(self._leaves)

    def __getitem__(self, name: str) -> np.ndarray:
        tree, keys, leaf = self._leaves[name]
        item: Any = jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)
        how: Any = ocp.RestoreArgs(restore_type=np.ndarray)
        for key in reversed(keys):
            item, how = {key: item}, {key: how}
        arguments = ocp.args.PyTreeRestore(item=item, restore_args=how, partial_restore=True)
        return jax.tree.leaves(self._handler.restore(self._folder / tree, args=arguments))[0]

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array."""
        return tuple(self._leaves[name][2].shape)

    def dtype(self, name: str) -> np.dtype:
        """The type of an array's elements."""
        return np.dtype(self._leaves[name][2].dtype)


def compare(have: Mapping[str, Any], want: Mapping[str, Any], where: str) -> None:
    """Refuses arrays whose names and shapes are not those asked for, naming the first."""
    for path in want:
        if path not in have:
            raise CheckpointError(
                f"{where} is of another model: it has no {path}; {config.nearest(path, have)}"
            )
        if have[path] != want[path]:
            raise CheckpointError(
                f"{where} is of another model: {path} is {have[path]}, expected {want[path]}"
            )
    if extra := have.keys() - want.keys():
        raise CheckpointError(
            f"{where} is of another model: it has {min(extra)}, which this one has not"
        )


def absolute(path: str | os.PathLike) -> epath.Path:
    """A path that stays what it is wherever the program goes; one in a bucket is so already."""
    found = epath.Path(path)
    return found if "://" in os.fspath(found) else epath.Path(os.path.abspath(found))


def steps_in(workdir: str | os.PathLike) -> list[int]:
    """The steps that a run has checkpoints of, without opening anything."""
    folder = epath.Path(workdir) / FOLDER
    return sorted(int(p.name) for p in folder.glob("*") if p.name.isdigit())


def check_layout(record: Mapping[str, Any], where: Any) -> None:
    """Refuses what a later release has written in a way that this one cannot know."""
    layout = record.get("layout", 1)
    if type(layout) is not int or not 1 <= layout <= LAYOUT:
        raise CheckpointError(
            f"{where} has layout {layout!r:.20}, written by vdm_jax {record.get('vdm_jax')!r:.20}; "
            f"this is {vdm_jax.__version__}, which reads up to layout {LAYOUT}: install a newer one"
        )


def shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    """The shape of every array of a tree by its path, `['input']['kernel']`."""
    return {
        "".join(f"[{_name(k)!r}]" for k in path): tuple(leaf.shape) for path, leaf in _leaves(tree)
    }


def _leaves(tree: Any) -> list[tuple[Any, Any]]:
    """The arrays of a tree, or what says their shapes, each with its path."""
    leaves = jax.tree_util.tree_leaves_with_path(tree, is_leaf=lambda x: hasattr(x, "shape"))
    return [(path, leaf) for path, leaf in leaves if hasattr(leaf, "shape")]


def _name(key: Any) -> str:
    for attribute in ("key", "name", "idx"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


def write_experiment(workdir: str | os.PathLike, experiment: Any) -> None:
    """Writes `experiment.json`: every field of the experiment and the versions that run it."""
    versions = {"vdm_jax": vdm_jax.__version__} | {p: metadata.version(p) for p in PACKAGES}
    facts = {"experiment": config.to_json(experiment), "versions": versions, "layout": LAYOUT}
    text = json.dumps(facts, indent=2, sort_keys=False)
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
        facts = json.loads(path.read_text())
        versions = {"layout": facts.get("layout", 1), **facts.get("versions", {})}
        check_layout(versions, path)
        return config.from_json(facts["experiment"])
    except (json.JSONDecodeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path} is not an experiment: {error}") from None
