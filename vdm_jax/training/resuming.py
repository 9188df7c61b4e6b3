"""The start of a run: from its newest checkpoint, imported parameters, or random ones."""

import dataclasses
from functools import partial

import jax
from etils import epath

from vdm_jax import config, parallel
from vdm_jax.checkpoints import (
    CheckpointError,
    Export,
    Store,
    read_experiment,
    write_experiment,
)
from vdm_jax.checkpoints.store import EXPERIMENT
from vdm_jax.interfaces import PhasedTask
from vdm_jax.training import state as states
from vdm_jax.training.experiment import CHANGEABLE_FIELDS, Experiment
from vdm_jax.training.state import State
from vdm_jax.types import Params

COUNTERS = ("step", "key", "skipped", "streak")
"""Fields of `State` that a checkpoint stores in one tree."""


def claim_workdir(
    experiment: Experiment, workdir: epath.Path, initial: Export | None = None
) -> None:
    """Writes `experiment.json`, unless the folder holds a run of another experiment.

    initial: imported parameters, of any experiment with the same parameters.

    Raises:
      CheckpointError: the run in the folder differs in a field that must not change.
    """
    if initial is None and (workdir / EXPERIMENT).exists():
        old = config.to_json(read_experiment(workdir))
        changes = config.differences(config.to_json(experiment), old)
        one_phase = len(experiment.phase_ends) == 1
        allowed = [name for name in CHANGEABLE_FIELDS if name != "steps" or one_phase]
        changes = [line for line in changes if line.split(".")[0].split(":")[0] not in allowed]
        if changes:
            raise CheckpointError(
                f"{workdir} holds a run of another experiment; choose another --workdir, or undo "
                "these changes:\n  " + "\n  ".join(changes[:8])
            )
    if parallel.is_main_process():
        write_experiment(workdir, experiment)
    parallel.barrier("the experiment is written")


def restore_or_init(
    experiment: Experiment, mesh: jax.sharding.Mesh, store: Store, initial: Export | None
) -> tuple[State, Params, int]:
    """(state, frozen parameters, next batch) from the newest checkpoint, or at the first step.

    Every array is created on the devices that hold it.

    initial: imported parameters, used instead of random ones if there is no checkpoint.
    """
    task, batch = experiment.task, experiment.loader.zeros(experiment.data)
    init = partial(states.init, task, experiment.optimizer, batch=batch)
    key = jax.random.key(experiment.seed)
    shapes = jax.eval_shape(init, key)
    sharding = parallel.shardings(shapes, mesh)
    like, like_frozen = parallel.with_shardings(shapes, sharding)
    with_frozen = {"frozen": like_frozen} if like_frozen else {}
    if store.steps():
        step, trees, record = store.restore(state_to_trees(like) | with_frozen)
        store.delete_after(step)
        return trees_to_state(trees), trees.pop("frozen", {}), record["next_batch"]
    state, frozen = jax.jit(init, out_shardings=sharding)(key)
    in_phase = initial is not None and resumes_phase(experiment, initial)
    if isinstance(task, PhasedTask) and not in_phase:
        # The first phase starts from the averaged parameters.
        folder = None if initial is None else str(initial.folder)
        return dataclasses.replace(state, ema=task.load_initial(state.ema, folder)), frozen, 0
    if initial is not None:
        step, trees, _ = initial.restore({"ema": like.params, **with_frozen})
        step = step if in_phase else 0
        state = states.replace_params(state, trees["ema"], step, experiment.phase_ends)
        return state, trees.get("frozen", {}), step
    return state, frozen, 0


def resumes_phase(experiment: Experiment, initial: Export) -> bool:
    """Whether imported parameters are from a phase of the same phased task, which then resumes.

    Raises:
      CheckpointError: the phases have other lengths, so the export's step is not in the same phase.
    """
    source, task = read_experiment(initial.folder), experiment.task
    frozen = any(name.startswith("frozen/") for name in initial.tensors)
    if not (isinstance(task, PhasedTask) and frozen and source.task == task):
        return False
    if source.phase_ends != experiment.phase_ends:
        raise CheckpointError(
            f"{initial.folder} is step {initial.step} of a run with phases of {source.steps} "
            f"steps, but this experiment has phases of {experiment.steps}: resume with "
            f"--set steps={source.steps}"
        )
    return True


def state_to_trees(state: State) -> dict[str, Params]:
    """The trees of a checkpoint that hold a state."""
    trees = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    counters = {name: trees.pop(name) for name in COUNTERS}
    return {**trees, "counters": counters}


def trees_to_state(trees: dict[str, Params]) -> State:
    """The inverse of `state_to_trees`."""
    counters = trees["counters"]
    return State(**{name: trees[name] for name in ("params", "ema", "optimizer")}, **counters)
