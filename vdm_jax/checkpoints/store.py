"""Checkpoints of a run: orbax arrays by step, and the experiment in JSON beside them."""

import dataclasses
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath

import vdm_jax
from vdm_jax import config
from vdm_jax.checkpoints.scopes import current_scopes, rename_keys
from vdm_jax.storage import atomic_file

log = logging.getLogger("vdm_jax.checkpoints")

EXPERIMENT = "experiment.json"
FOLDER = "checkpoints"
TREES = ("params", "ema", "optimizer", "counters", "frozen")
LAYOUT = 1
"""Version of the file format; it increases when older releases cannot read newer files."""
MIN_SLICE_BYTES = 2**20
"""All devices of a replicated array write slices of it of at least this size. One device writes
smaller arrays, since every shape of a slice needs a separate compiled program."""
TYPE_HANDLERS = ocp.type_handlers.create_type_handler_registry(
    (np.ndarray, ocp.type_handlers.NumpyHandler()),
    (
        jax.Array,
        ocp.type_handlers.ArrayHandler(min_slice_bytes_for_replica_parallel=MIN_SLICE_BYTES),
    ),
)
PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy")


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged, or of another model."""


@dataclasses.dataclass(frozen=True)
class Checkpoints:
    """When to save checkpoints and which to keep.

    every: steps between checkpoints.
    keep: number of newest checkpoints to keep.
    keep_every: checkpoints at multiples of this step are never deleted; None: no others are kept.
    """

    every: int = 1000
    keep: int = 3
    keep_every: int | None = None

    def open(self, workdir: str | os.PathLike, keep_steps: Sequence[int] = ()) -> "Store":
        """The store of a run, which never deletes the checkpoints of `keep_steps`."""
        return Store(workdir, self, keep_steps)


class Store:
    """The checkpoints of one run: trees of arrays, named as in `TREES`, and one JSON record.

    Saving is asynchronous and atomic.
    """

    def __init__(
        self,
        workdir: str | os.PathLike,
        policy: Checkpoints = Checkpoints(),
        keep_steps: Sequence[int] = (),
    ):
        self.folder = absolute_path(workdir) / FOLDER
        policies = ocp.checkpoint_managers.preservation_policy
        preserved = [policies.LatestN(policy.keep), policies.CustomSteps(list(keep_steps))]
        if policy.keep_every is not None:
            preserved.append(policies.EveryNSteps(policy.keep_every))
        options = ocp.CheckpointManagerOptions(
            preservation_policy=policies.AnyPreservationPolicy(preserved), create=True
        )
        handlers = {
            name: ocp.PyTreeCheckpointHandler(type_handler_registry=TYPE_HANDLERS) for name in TREES
        }
        self.manager = ocp.CheckpointManager(
            self.folder,
            options=options,
            item_handlers={**handlers, "record": ocp.JsonCheckpointHandler()},
        )

    def steps(self) -> list[int]:
        """The steps of the checkpoints, in order."""
        return sorted(self.manager.all_steps())

    def save(self, step: int, trees: dict[str, Any], record: dict[str, Any]) -> None:
        """Starts writing the checkpoint of a step; does nothing if it exists."""
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
        """(step, trees, record) of the newest readable checkpoint, or of `step`.

        like: trees of arrays or `jax.ShapeDtypeStruct`s; their shardings are those of the result.

        Raises:
          CheckpointError: no such checkpoint, or one of another model (names the first array).
        """
        steps = self.steps() if step is None else [step]
        if not steps or steps[-1] not in self.steps():
            available = f"there are steps {self.steps()}" if self.steps() else "there is none"
            raise CheckpointError(
                f"no checkpoint{'' if step is None else f' of step {step}'} in {self.folder}; "
                f"{available}"
            )
        for index, candidate in enumerate(reversed(steps), start=1):
            try:
                old = self._old_scopes(candidate, like)
                self._check(candidate, like)
                items = {
                    name: ocp.args.PyTreeRestore(
                        tree, ocp.checkpoint_utils.construct_restore_args(tree)
                    )
                    for name, tree in rename_keys(like, old).items()
                }
                restored = self.manager.restore(
                    candidate, args=ocp.args.Composite(record=ocp.args.JsonRestore(), **items)
                )
                check_layout(restored["record"], self.folder / str(candidate))
                current = {name: scope for scope, name in old.items()}
                trees = rename_keys({name: restored[name] for name in like}, current)
                return candidate, trees, restored["record"]
            except CheckpointError:
                raise
            except Exception as error:
                if index == len(steps):
                    raise CheckpointError(
                        f"the checkpoint of step {candidate} in {self.folder} cannot be read: "
                        f"{str(error).splitlines()[0]}"
                    ) from error
                log.warning("checkpoint of step %d cannot be read (%s); trying the previous one",
                            candidate, str(error).splitlines()[0])  # fmt: skip
        raise AssertionError("unreachable")

    def delete_after(self, step: int) -> None:
        """Deletes the checkpoints after a step, from which the run resumes."""
        for later in [s for s in self.steps() if s > step]:
            self.manager.delete(later)

    def _old_scopes(self, step: int, names: Iterable[str]) -> dict[str, str]:
        """The old scopes in a step's trees, by their current names."""
        stored = self.manager.item_metadata(step)
        keys = {
            _key_name(key)
            for name in names
            if stored.get(name) is not None
            for path, _ in _leaves(stored[name])
            for key in path
        }
        return {current_scopes(key): key for key in keys if current_scopes(key) != key}

    def _check(self, step: int, like: dict[str, Any]) -> None:
        """Raises `CheckpointError` if the checkpoint's arrays are not those of `like`."""
        stored = self.manager.item_metadata(step)
        for name in like:
            if stored.get(name) is None:
                raise CheckpointError(f"the checkpoint of step {step} holds no {name!r}")
        have, want = (
            {
                current_scopes(f"{name}{path}"): shape
                for name in like
                for path, shape in shapes(trees[name]).items()
            }
            for trees in (stored, like)
        )
        check_shapes(have, want, f"the checkpoint of step {step} in {self.folder}")

    def tensors(self, step: int, names: Mapping[str, str]) -> "CheckpointTensors":
        """The arrays of a step's trees, read on access.

        names: the trees, and the prefixes of their arrays.
        """
        return CheckpointTensors(self, step, names)

    def wait(self) -> None:
        """Waits until all checkpoints are on disk."""
        self.manager.wait_until_finished()

    def close(self) -> None:
        """Waits until all checkpoints are on disk, and closes the folder."""
        self.manager.wait_until_finished()
        self.manager.close()


class CheckpointTensors(Mapping[str, np.ndarray]):
    """Arrays of a checkpoint by path (`params/input/kernel`), read to the host on access."""

    def __init__(self, store: Store, step: int, names: Mapping[str, str]):
        self._folder, self._leaves = store.folder / str(step), {}
        self._handler = ocp.PyTreeCheckpointHandler()
        stored = store.manager.item_metadata(step)
        for tree, prefix in names.items():
            leaves = [] if stored.get(tree) is None else _leaves(stored[tree])
            for path, leaf in leaves:
                keys = [_key_name(key) for key in path]
                self._leaves[current_scopes("/".join((prefix, *keys)))] = tree, keys, leaf

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


def check_shapes(have: Mapping[str, Any], want: Mapping[str, Any], where: str) -> None:
    """Raises `CheckpointError` naming the first missing, extra or differently shaped array."""
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
            f"{where} is of another model: it has {min(extra)}, which this model does not have"
        )


def absolute_path(path: str | os.PathLike) -> epath.Path:
    """An absolute path; a remote one is absolute already."""
    absolute = epath.Path(path)
    return absolute if "://" in os.fspath(absolute) else epath.Path(os.path.abspath(absolute))


def list_steps(workdir: str | os.PathLike) -> list[int]:
    """The steps of a run's checkpoints, without opening a store."""
    folder = epath.Path(workdir) / FOLDER
    return sorted(int(p.name) for p in folder.glob("*") if p.name.isdigit())


def check_layout(record: Mapping[str, Any], where: Any) -> None:
    """Raises `CheckpointError` for files in the format of a later release."""
    layout = record.get("layout", 1)
    if type(layout) is not int or not 1 <= layout <= LAYOUT:
        raise CheckpointError(
            f"{where} has layout {layout!r:.20}, written by vdm_jax {record.get('vdm_jax')!r:.20}; "
            f"this is {vdm_jax.__version__}, which reads up to layout {LAYOUT}: install a newer one"
        )


def shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    """The shape of every array of a tree, by its path (`['input']['kernel']`)."""
    return {
        "".join(f"[{_key_name(k)!r}]" for k in path): tuple(leaf.shape)
        for path, leaf in _leaves(tree)
    }


def _leaves(tree: Any) -> list[tuple[Any, Any]]:
    """(path, leaf) of every array, or abstract array, of a tree."""
    leaves = jax.tree_util.tree_leaves_with_path(tree, is_leaf=lambda x: hasattr(x, "shape"))
    return [(path, leaf) for path, leaf in leaves if hasattr(leaf, "shape")]


def _key_name(key: Any) -> str:
    for attribute in ("key", "name", "idx"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


def write_experiment(workdir: str | os.PathLike, experiment: Any) -> None:
    """Writes `experiment.json`: every field of the experiment, and package versions."""
    versions = {"vdm_jax": vdm_jax.__version__} | {p: metadata.version(p) for p in PACKAGES}
    facts = {"experiment": config.to_json(experiment), "versions": versions, "layout": LAYOUT}
    text = json.dumps(facts, indent=2, sort_keys=False)
    folder = epath.Path(workdir)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(folder / EXPERIMENT) as partial:
        partial.write_text(text + "\n")


def read_experiment(workdir: str | os.PathLike) -> Any:
    """The experiment of a run, from its `experiment.json`.

    Raises:
      CheckpointError: the folder is no run, or of a later release.
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
