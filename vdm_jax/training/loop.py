"""The training loop: takes the steps of a task, saves checkpoints, logs and evaluates.

It depends on the protocols of `vdm_jax.interfaces`, not on diffusion.
"""

import dataclasses
import os
import signal
import time
from collections.abc import Callable
from functools import partial

import jax
import numpy as np
from etils import epath

from vdm_jax import parallel
from vdm_jax.checkpoints import Export, Store, export_of
from vdm_jax.checkpoints.store import list_steps
from vdm_jax.data.loader import Batches
from vdm_jax.interfaces import Batch, PhasedTask
from vdm_jax.training import executables
from vdm_jax.training import state as states
from vdm_jax.training.experiment import Experiment
from vdm_jax.training.log import Log
from vdm_jax.training.resuming import claim_workdir, restore_or_init, state_to_trees
from vdm_jax.training.signals import GracefulStop
from vdm_jax.training.state import State
from vdm_jax.training.timing import StepTimer, Trace
from vdm_jax.types import Metrics, Params


class Interrupted(Exception):
    """A signal stopped the run, which has saved a checkpoint.

    step: the checkpoint's step. signum: the number of the signal.
    """

    def __init__(self, step: int, signum: int):
        name = signal.Signals(signum).name
        super().__init__(f"stopped by {name} at step {step}; checkpoint saved")
        self.step, self.signum = step, signum


class NotFinite(FloatingPointError):
    """`Experiment.patience` updates in a row had a gradient that is not finite."""


def train(
    experiment: Experiment,
    workdir: str | os.PathLike,
    profile: int = 0,
    executable: str | os.PathLike | None = None,
) -> State:
    """Trains an experiment to its last step, and resumes from its newest checkpoint.

    The result is bit-identical however often the run is stopped: the randomness of a step and its
    batch are functions of the seed and the step.

    workdir: the folder of the run. Parameters imported into a folder without checkpoints become
      the initial ones or, if they are from a phase of the same phased task, are trained on from
      their step.
    profile: the number of steps to trace, for `tensorboard/` in the run's log folder.
    executable: a file of `plan --save` with the compiled step, read instead of compiling; batches
      of other shapes are still compiled.

    Raises:
      CheckpointError: the folder holds a run of another experiment.
      ExecutableMismatch: the executable is for another experiment, mesh, grid of chips or version.
      Interrupted: SIGTERM, SIGINT or a preemption notice arrived; a checkpoint is saved.
      NotFinite: `patience` updates in a row were skipped.
    """
    workdir = epath.Path(workdir)
    initial = None if list_steps(workdir) else export_of(workdir)
    claim_workdir(experiment, workdir, initial)
    mesh = experiment.mesh.build()
    if executable is not None:
        executables.check_step(executable, experiment, mesh)
    clips = experiment.data.clips("train")
    store = experiment.checkpoints.open(workdir, keep_steps=experiment.phase_ends)
    state, frozen, next_batch = restore_or_init(experiment, mesh, store, initial)
    first, end = int(state.step), experiment.phase_ends[-1]
    log = Log(log_folder(workdir), first, end, quiet=not parallel.is_main_process())
    log_start(log, experiment, state, mesh, initial)

    host, hosts = parallel.host_shard(mesh)
    batches = experiment.loader(
        clips, seed=experiment.seed, start=next_batch, host=host, hosts=hosts
    )
    trace = Trace(log_folder(workdir) / "tensorboard", profile)
    run = Run(experiment, mesh, store, log, trace, frozen, batches, executable)
    try:
        with GracefulStop() as stop:
            return run.train(state, stop)
    finally:
        batches.close()
        store.close()
        trace.close()
        log.close()


def log_folder(workdir: epath.Path) -> epath.Path:
    """The folder of this process's log: the run's for process 0, `processes/N` in it for others."""
    process = jax.process_index()
    return workdir / "processes" / str(process) if process else workdir


def log_start(
    log: Log, experiment: Experiment, state: State, mesh: jax.sharding.Mesh, initial: Export | None
) -> None:
    """Prints the number of parameters, the devices, and where the run starts."""
    count, first = sum(x.size for x in jax.tree.leaves(state.params)), int(state.step)
    devices = f"{mesh.size} x {jax.devices()[0].device_kind}"
    log.print(f"{count:,} parameters on {devices}; batches of {experiment.loader.batch}")
    if initial is not None:
        reset = "optimizer" if first else "optimizer and step count"
        log.print(
            f"starting from the averaged parameters of {initial.folder} (step {initial.step}) "
            f"with a new {reset}"
        )
    if first:
        log.print(f"resuming at step {first} of {experiment.phase_ends[-1]}")


def mean_metrics(metrics: Metrics) -> Metrics:
    """Metrics with pairs [sum, count] replaced by means; pairs with count 0 are left out."""
    means = {}
    for name, value in metrics.items():
        if isinstance(value, dict):
            means[name] = mean_metrics(value)
        elif value[1]:
            means[name] = float(value[0] / value[1])
    return means


@dataclasses.dataclass
class Run:
    """The training loop of one process, from the state it starts with to the end or to a signal.

    frozen: the task's frozen parameters, replaced at the start of a phase.
    executable: the file of a compiled step, or None.
    timer: the seconds of each step, by kind.
    enter_phase: the compiled program that starts a phase; None before the first phase.
    """

    experiment: Experiment
    mesh: jax.sharding.Mesh
    store: Store
    log: Log
    trace: Trace
    frozen: Params
    batches: Batches
    executable: str | os.PathLike | None = None
    timer: StepTimer = dataclasses.field(default_factory=StepTimer)
    enter_phase: Callable[[State, Params], tuple[State, Params]] | None = None

    def train(self, state: State, stop: GracefulStop) -> State:
        """Takes the steps to the end, and saves, logs and evaluates when due.

        Raises:
          Interrupted: a signal or a preemption notice arrived; a checkpoint is saved.
          NotFinite: see `report`.
        """
        experiment, first = self.experiment, int(state.step)
        ends, end = experiment.phase_ends, experiment.phase_ends[-1]
        self.evaluate(first, state)
        if first >= end:
            self.log.print(f"nothing to train: the run is at step {first} of {end}")
            return state
        reduced_signal = parallel.ReducedSignal(self.mesh)
        compiled: dict[tuple, Callable[..., tuple[State, Metrics]]] = {}  # by batch shapes
        pending: list[Metrics] = []  # since the last line of the log
        due: list[Metrics] = []  # for the next line
        timer = self.timer
        for n in range(first + 1, end + 1):
            if n - 1 in (0, *ends):
                state = self.start_phase(state)
            with timer.measure("data"):
                elements = next(self.batches)
            with timer.measure("host"):
                batch = self.to_devices(elements)
            shape = tuple((name, value.shape) for name, value in sorted(batch.items()))
            if shape not in compiled:
                compiled[shape] = self.compile(state, batch)
            with timer.measure("host"), self.trace.step(n) as results:
                state, metrics = compiled[shape](state, self.frozen, batch)
                results.append(metrics)
            with timer.measure("device"):
                parallel.wait_for((pending or due)[-1:], metrics)
            timer.step()
            if due:  # metrics are read while the next step runs
                self.report(n - 1, due)
                due = []
            pending.append(metrics)
            with timer.measure("device"):
                signum = reduced_signal(stop.signum or 0)  # the same in all processes
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

    def start_phase(self, state: State) -> State:
        """The state at the start of a phase; the same state for a task without phases.

        A checkpoint at the end of a phase holds that phase's result, so a run that resumes there
        starts the next phase as an uninterrupted run does.
        """
        task = self.experiment.task
        if not isinstance(task, PhasedTask):
            return state
        if self.enter_phase is None:  # one program for all phases
            shardings = jax.tree.map(lambda x: x.sharding, (state, self.frozen))
            enter = partial(states.enter_phase, task, self.experiment.optimizer)
            self.enter_phase = jax.jit(enter, donate_argnums=(0, 1), out_shardings=shardings)
        state, self.frozen = self.enter_phase(state, self.frozen)
        return state

    def compile(self, state: State, batch: Batch) -> Callable[..., tuple[State, Metrics]]:
        """The compiled step for these shapes and shardings, read from `executable` if it fits."""
        began, run = time.monotonic(), self.experiment
        step = states.sharded_step(run.task, run.optimizer, run.steps, state, self.mesh)
        shapes = {name: x.shape for name, x in batch.items()}
        planned = {name: x.shape for name, x in self.batch_shapes().items()}
        if self.executable and shapes == planned:
            arguments = (state, self.frozen, batch)
            compiled = executables.read_step(self.executable, run, self.mesh, step, arguments)
            self.log.print(f"read {self.executable} in {time.monotonic() - began:.1f} s")
        else:
            compiled = parallel.compile_lowered(step.lower(state, self.frozen, batch))
            self.log.print(f"compiled in {time.monotonic() - began:.1f} s")
        self.log.start_clock(int(state.step))
        return compiled

    def batch_shapes(self) -> dict[str, jax.ShapeDtypeStruct]:
        """The shapes of a global batch with labels."""
        return self.experiment.loader.shapes(self.experiment.data, labels=True)

    def to_devices(self, batch: dict[str, np.ndarray]) -> dict[str, jax.Array]:
        """The global batch, of which this process passes its own batch elements."""
        if self.executable:
            batch = executables.add_missing_labels(batch, self.batch_shapes())
        sharding = parallel.batch_sharding(self.mesh)
        return {k: jax.make_array_from_process_local_data(sharding, v) for k, v in batch.items()}

    def report(self, step: int, metrics: list[Metrics]) -> None:
        """Logs the mean over the last steps.

        Raises:
          NotFinite: the last `patience` updates were skipped.
        """
        records = jax.device_get(metrics)
        good = [r["task"] for r in records if r["accepted"]]
        sums = jax.tree.map(lambda *values: np.sum(values, axis=0), *good) if good else {}
        line = mean_metrics(sums) | {"learning_rate": float(records[-1]["learning_rate"])}
        line |= {"skipped": int(records[-1]["skipped"]), "seconds": self.timer.lap()}
        self.log.log_metrics(step, line)
        worst = max(records, key=lambda r: r["streak"])
        if worst["streak"] >= self.experiment.patience:
            raise NotFinite(
                f"{int(worst['streak'])} updates in a row were skipped before step {step}: "
                f"{self.gradient_name(int(worst['bad']))} is not finite. The parameters are those "
                "before these updates; lower optimizer.peak or optimizer.clip, or check the data"
            )

    def gradient_name(self, leaf: int) -> str:
        """The name of the gradient with this index among the leaves; the loss for -1."""
        if leaf < 0:
            return "the loss"
        batch = self.experiment.loader.zeros(self.experiment.data)
        params, _ = jax.eval_shape(self.experiment.task.init, jax.random.key(0), batch)
        path, _ = jax.tree_util.tree_leaves_with_path(params)[leaf]
        return f"the gradient of {jax.tree_util.keystr(path)}"

    def save(self, step: int, state: State) -> None:
        """Starts to write a checkpoint."""
        trees = state_to_trees(state) | ({"frozen": self.frozen} if self.frozen else {})
        self.store.save(step, trees, {"next_batch": self.batches.state()})

    def evaluate(self, step: int, state: State) -> None:
        """Runs the evaluations that are due at a step and not yet in the log."""
        last = step in self.experiment.phase_ends
        logged = self.log.logged_evaluations(step)
        due = [
            e
            for e in self.experiment.evaluations
            if e.name not in logged and step and (last or (e.every and step % e.every == 0))
        ]
        if not due or self.experiment.sampling is None:
            return
        key = jax.random.fold_in(jax.random.key(self.experiment.seed), step)
        model = self.experiment.sampling.trained_model(self.experiment, state.ema, self.frozen)
        with self.log.pause_bar():
            for evaluation in due:
                began = time.monotonic()
                self.log.print(f"evaluating {evaluation.name} at step {step}")
                results = {evaluation.name: dict(evaluation(key, model))}
                self.log.log_evaluation(step, results)
                self.log.print(f"  took {time.monotonic() - began:.0f} s")
