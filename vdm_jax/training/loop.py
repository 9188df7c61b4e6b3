"""The training loop: it knows a task, and nothing of diffusion."""

import dataclasses
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath

from vdm_jax import config, parallel
from vdm_jax.checkpoints import (
    CheckpointError,
    Export,
    Store,
    export_of,
    read_experiment,
    write_experiment,
)
from vdm_jax.checkpoints.store import EXPERIMENT, steps_in
from vdm_jax.training import executables
from vdm_jax.training import state as states
from vdm_jax.training.experiment import FREE, Experiment
from vdm_jax.training.log import Log
from vdm_jax.training.signals import GracefulStop
from vdm_jax.training.state import State
from vdm_jax.training.task import PhasedTask
from vdm_jax.training.timing import StepTimer, Trace

COUNTERS = ("step", "key", "skipped", "streak")


class Interrupted(Exception):
    """The run was asked to stop, and has saved its state."""

    def __init__(self, step: int, signum: int):
        super().__init__(f"stopped by {signal.Signals(signum).name} at step {step}; all is saved")
        self.step, self.signum = step, signum


class NotFinite(FloatingPointError):
    """Too many updates in a row had a gradient that is not finite."""


def train(
    experiment: Experiment,
    workdir: str | os.PathLike,
    profile: int = 0,
    executable: str | os.PathLike | None = None,
) -> State:
    """Runs an experiment to its last step, from its newest checkpoint where there is one.

    The step is not compiled where `executable`, a file of `plan --save`, has it; batches of other
    shapes are.

    Of so many steps as `profile` says there is a trace beside the log, in `tensorboard`.

    A folder that is an import, and has no checkpoint yet, gives its parameters to the first step,
    or, of a run in parts by the same task, to the step that they are of.

    The result does not depend on how often the run was stopped: the randomness of a step and its
    batch are functions of the seed and the step.

    Raises:
      CheckpointError: the folder holds a run of another experiment.
      Misfit: the executable is of another experiment, mesh, grid of chips or version.
      Interrupted: SIGTERM or SIGINT came, or the platform has announced that it takes the
        machines away; the state at that step is saved.
      NotFinite: `patience` updates in a row were refused.
    """
    workdir = epath.Path(workdir)
    given = None if steps_in(workdir) else export_of(workdir)
    claim(experiment, workdir, given)
    mesh = experiment.mesh.build()
    if executable is not None:
        executables.check_step(executable, experiment, mesh)
    clips = experiment.data.clips("train")
    store = experiment.checkpoints.open(workdir, stay=experiment.ends)
    state, frozen, next_batch = start(experiment, mesh, store, given)
    first = int(state.step)
    log = Log(log_folder(workdir), first, experiment.ends[-1], quiet=not parallel.is_main_process())
    say_start(log, experiment, state, mesh, first, given)

    host, hosts = parallel.host_shard(mesh)
    batches = experiment.loader(
        clips, seed=experiment.seed, start=next_batch, host=host, hosts=hosts
    )
    trace = Trace(log_folder(workdir) / "tensorboard", profile)
    run = Run(experiment, workdir, mesh, store, log, trace, frozen, batches, executable)
    try:
        with GracefulStop() as stop:
            return run.steps(state, stop)
    finally:
        batches.close()
        store.close()
        trace.close()
        log.close()


def log_folder(workdir: epath.Path) -> epath.Path:
    """Where this process writes its log: the first in the run's folder, the others each below."""
    process = jax.process_index()
    return workdir / "processes" / str(process) if process else workdir


def claim(experiment: Experiment, workdir: epath.Path, given: Export | None = None) -> None:
    """Writes `experiment.json`, or refuses a folder that holds the run of another experiment.

    What is `given` is a beginning, of any experiment that has the same parameters.
    """
    if given is None and (workdir / EXPERIMENT).exists():
        old = config.to_json(read_experiment(workdir))
        changed = config.differences(config.to_json(experiment), old)
        free = [name for name in FREE if name != "steps" or len(experiment.ends) == 1]
        changed = [line for line in changed if line.split(".")[0].split(":")[0] not in free]
        if changed:
            raise CheckpointError(
                f"{workdir} holds a run of another experiment; choose another --workdir, or undo "
                "these changes:\n  " + "\n  ".join(changed[:8])
            )
    if parallel.is_main_process():
        write_experiment(workdir, experiment)
    parallel.barrier("the experiment is written")


def start(
    experiment: Experiment, mesh: jax.sharding.Mesh, store: Store, given: Export | None
) -> tuple[State, Any, int]:
    """(state, frozen, next batch) of the newest checkpoint, or of the beginning.

    The beginning has the parameters that are `given`, or random ones. Every array is born on the
    devices that will hold it.
    """
    task, shapes = experiment.task, experiment.loader.shapes(experiment.data)
    init = partial(states.init, task, experiment.optimizer, batch=zeros(shapes))
    key = jax.random.key(experiment.seed)
    shaped = jax.eval_shape(init, key)
    sharding = parallel.shardings(shaped, mesh)
    like, like_frozen = parallel.with_shardings(shaped, sharding)
    with_frozen = {"frozen": like_frozen} if like_frozen else {}
    if store.steps():
        step, trees, record = store.restore(as_trees(like) | with_frozen)
        store.forget_after(step)
        return as_state(trees), trees.pop("frozen", {}), record["next_batch"]
    made, frozen = jax.jit(init, out_shardings=sharding)(key)
    on_the_way = given is not None and within(experiment, given)
    if isinstance(task, PhasedTask) and not on_the_way:
        # The averages are what the first part begins from.
        folder = None if given is None else str(given.folder)
        return dataclasses.replace(made, ema=task.load_initial(made.ema, folder)), frozen, 0
    if given is not None:
        step, trees, _ = given.restore({"ema": like.params, **with_frozen})
        step = step if on_the_way else 0
        made = states.continued(made, trees["ema"], step, experiment.ends)
        return made, trees.get("frozen", {}), step
    return made, frozen, 0


def within(experiment: Experiment, given: Export) -> bool:
    """Whether what is given is of a run in parts, by the same task: then it goes on in its part.

    Raises:
      CheckpointError: its parts have other lengths, so that it is not known where it stands.
    """
    theirs, task = read_experiment(given.folder), experiment.task
    frozen = any(name.startswith("frozen/") for name in given.tensors)
    if not (isinstance(task, PhasedTask) and frozen and theirs.task == task):
        return False
    if theirs.ends != experiment.ends:
        raise CheckpointError(
            f"{given.folder} is of step {given.step} of a run in parts of {theirs.steps} steps, "
            f"this one has parts of {experiment.steps}: --set steps={theirs.steps} goes on there"
        )
    return True


def zeros(shapes: dict[str, jax.ShapeDtypeStruct]) -> dict[str, jax.Array]:
    """A batch of zeros; one row is enough to make parameters."""
    return {name: jnp.zeros((1, *s.shape[1:]), s.dtype) for name, s in shapes.items()}


def as_trees(state: State) -> dict[str, Any]:
    """A state as the trees of a checkpoint."""
    trees = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    counters = {name: trees.pop(name) for name in COUNTERS}
    return {**trees, "counters": counters}


def as_state(trees: dict[str, Any]) -> State:
    """The inverse of `as_trees`."""
    counters = trees["counters"]
    return State(**{name: trees[name] for name in ("params", "ema", "optimizer")}, **counters)


def say_start(
    log: Log, experiment: Experiment, state: State, mesh, first: int, given: Export | None
) -> None:
    count = sum(x.size for x in jax.tree.leaves(state.params))
    devices = f"{mesh.size} x {jax.devices()[0].device_kind}"
    log.say(f"{count:,} parameters on {devices}; batches of {experiment.loader.batch}")
    if given is not None:
        anew = "the optimizer begins" if first else "the optimizer and the count of steps begin"
        log.say(
            f"starting from the averaged parameters of {given.folder} (step {given.step}); "
            f"{anew} anew"
        )
    if first:
        log.say(f"resuming at step {first} of {experiment.ends[-1]}")


def means(metrics: dict[str, Any]) -> dict[str, Any]:
    """Pairs [sum, count] as means; those that counted nothing are left out."""
    found = {}
    for name, value in metrics.items():
        if isinstance(value, dict):
            found[name] = means(value)
        elif value[1]:
            found[name] = float(value[0] / value[1])
    return found


@dataclasses.dataclass
class Run:
    """One stretch of a run, from where it starts to its end or to a signal."""

    experiment: Experiment
    workdir: epath.Path
    mesh: jax.sharding.Mesh
    store: Store
    log: Log
    trace: Trace
    frozen: Any
    batches: Any
    executable: str | os.PathLike | None = None
    pace: StepTimer = dataclasses.field(default_factory=StepTimer)
    entered: Callable[[State, Any], tuple[State, Any]] | None = None

    def steps(self, state: State, stop: GracefulStop) -> State:
        """Steps to the end, saving, logging and measuring on the way."""
        experiment, first = self.experiment, int(state.step)
        ends, end = experiment.ends, experiment.ends[-1]
        self.evaluate(first, state)
        if first >= end:
            self.log.say(f"nothing to train: the run is at step {first} of {end}")
            return state
        agreed = parallel.ReducedSignal(self.mesh)
        compiled: dict[Any, Any] = {}  # a step for each shape of batch
        pending: list[dict] = []
        due: list[dict] = []
        pace = self.pace
        for n in range(first + 1, end + 1):
            if n - 1 in (0, *ends):
                state = self.enter(state)
            with pace.measure("data"):
                rows = next(self.batches)
            with pace.measure("host"):
                batch = self.put(rows)
            shape = tuple((name, value.shape) for name, value in sorted(batch.items()))
            if shape not in compiled:
                compiled[shape] = self.compile(state, batch)
            with pace.measure("host"), self.trace.step(n) as results:
                state, metrics = compiled[shape](state, self.frozen, batch)
                results.append(metrics)
            with pace.measure("device"):
                parallel.wait_for((pending or due)[-1:], metrics)
            pace.step()
            if due:  # read only now, when the next step is on its way
                self.report(n - 1, due)
                due = []
            pending.append(metrics)
            with pace.measure("device"):
                signum = agreed(stop.signum or 0)  # the same in all processes
            if parallel.reached_preemption(n):
                signum = signum or signal.SIGTERM
            last = n in ends or signum > 0
            if n % experiment.log_every == 0 or last:
                due, pending = pending, []
            if last and due:
                self.report(n, due)
                due = []
            if n % experiment.checkpoints.every == 0 or last:
                self.save(n, state)
            if signum and n < end:
                self.store.wait()
                raise Interrupted(n, signum)
            self.evaluate(n, state)
        return state

    def enter(self, state: State) -> State:
        """The state with which a part begins, where the task has parts.

        A checkpoint at the end of a part is of what that part reached, so a run that resumes there
        enters the next one as a run that was not stopped does.
        """
        task = self.experiment.task
        if not isinstance(task, PhasedTask):
            return state
        if self.entered is None:  # one program for all parts
            places = jax.tree.map(lambda x: x.sharding, (state, self.frozen))
            enter = partial(states.enter_phase, task, self.experiment.optimizer)
            self.entered = jax.jit(enter, donate_argnums=(0, 1), out_shardings=places)
        state, self.frozen = self.entered(state, self.frozen)
        return state

    def compile(self, state: State, batch: dict[str, jax.Array]):
        """The step for these shapes and places: compiled, or read where that has been done."""
        began, run = time.monotonic(), self.experiment
        step = states.sharded_step(run.task, run.optimizer, run.steps, state, self.mesh)
        shapes = {name: x.shape for name, x in batch.items()}
        if self.executable and shapes == {name: x.shape for name, x in self.shapes().items()}:
            arguments = (state, self.frozen, batch)
            compiled = executables.read_step(self.executable, run, self.mesh, step, arguments)
            self.log.say(f"read {self.executable} in {time.monotonic() - began:.1f} s")
        else:
            compiled = parallel.compile_lowered(step.lower(state, self.frozen, batch))
            self.log.say(f"compiled in {time.monotonic() - began:.1f} s")
        self.log.start_clock(int(state.step))
        return compiled

    def shapes(self) -> dict[str, jax.ShapeDtypeStruct]:
        """Of a global batch with labels."""
        return self.experiment.loader.shapes(self.experiment.data, labels=True)

    def put(self, batch: dict[str, np.ndarray]) -> dict[str, jax.Array]:
        """A host's rows as its part of the global batch."""
        if self.executable:
            batch = executables.with_labels(batch, self.shapes())
        sharding = parallel.batch_sharding(self.mesh)
        return {k: jax.make_array_from_process_local_data(sharding, v) for k, v in batch.items()}

    def report(self, step: int, metrics: list[dict]) -> None:
        """Logs the mean over the last steps; stops the run after too many refused updates."""
        rows = jax.device_get(metrics)
        good = [row["task"] for row in rows if row["accepted"]]
        record = means(jax.tree.map(lambda *values: np.sum(values, axis=0), *good)) if good else {}
        record |= {"learning_rate": float(rows[-1]["learning_rate"])}
        record |= {"skipped": int(rows[-1]["skipped"]), "seconds": self.pace.lap()}
        self.log.metrics(step, record)
        worst = max(rows, key=lambda row: row["streak"])
        if worst["streak"] >= self.experiment.patience:
            raise NotFinite(
                f"{int(worst['streak'])} updates in a row were refused before step {step}: "
                f"{self.gradient_name(int(worst['bad']))} is not finite. The parameters are those "
                "before; lower optimizer.peak or optimizer.clip, or look at the data"
            )

    def gradient_name(self, leaf: int) -> str:
        """The name of a gradient by its index among the leaves."""
        if leaf < 0:
            return "the loss"
        shapes = self.experiment.loader.shapes(self.experiment.data)
        params, _ = jax.eval_shape(self.experiment.task.init, jax.random.key(0), zeros(shapes))
        path, _ = jax.tree_util.tree_leaves_with_path(params)[leaf]
        return f"the gradient of {jax.tree_util.keystr(path)}"

    def save(self, step: int, state: State) -> None:
        """Starts to write a checkpoint."""
        trees = as_trees(state) | ({"frozen": self.frozen} if self.frozen else {})
        self.store.save(step, trees, {"next_batch": self.batches.state()})

    def evaluate(self, step: int, state: State) -> None:
        """Takes the measurements that are due at a step and not yet in the log."""
        last, done = step in self.experiment.ends, self.log.evaluated(step)
        due = [
            e
            for e in self.experiment.evaluations
            if e.name not in done and step and (last or (e.every and step % e.every == 0))
        ]
        if not due or self.experiment.sampling is None:
            return
        key = jax.random.fold_in(jax.random.key(self.experiment.seed), step)
        subject = self.experiment.sampling.trained(self.experiment, state.ema, self.frozen)
        with self.log.paused():
            for evaluation in due:
                began = time.monotonic()
                self.log.say(f"evaluating {evaluation.name} at step {step}")
                results = {evaluation.name: dict(evaluation(key, subject))}
                self.log.evaluation(step, results)
                self.log.say(f"  took {time.monotonic() - began:.0f} s")
