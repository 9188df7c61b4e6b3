"""Runs of several processes: starting them together, and stopping them at the same step."""

import ctypes
import dataclasses
import glob
import importlib.util
import os
import sys
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec


@dataclasses.dataclass(frozen=True)
class Processes:
    """This process's place among the processes of a run, the arguments of `jax.distributed`.

    coordinator: address and port of process 0, `10.0.0.1:1234`, the same in all processes. The port
      has no authentication: it belongs on a trusted network.
    processes: the number of processes.
    process: the index of this process, from 0.
    heartbeat_timeout: seconds without a heartbeat after which a process counts as lost and the
      others exit.

    Without the first three, `jax.distributed` takes them from a TPU slice, SLURM (srun) or Open MPI
    (mpirun); under none of these, the process runs alone.
    """

    coordinator: str | None = None
    processes: int | None = None
    process: int | None = None
    heartbeat_timeout: int = 30

    def start(self) -> None:
        """Joins the other processes. Call it before JAX's first use of a device.

        Raises:
          ValueError: some of the first three fields are missing, or a field is out of range.
        """
        if self.heartbeat_timeout < 1:
            raise ValueError(
                f"--heartbeat-timeout {self.heartbeat_timeout} must be at least 1 second"
            )
        fields = {name: getattr(self, name) for name in ("coordinator", "processes", "process")}
        missing = [name for name, value in fields.items() if value is None]
        if len(missing) == len(fields):
            if launcher_detected(os.environ):
                jax.distributed.initialize(heartbeat_timeout_seconds=self.heartbeat_timeout)
                explain_terminations()
            return
        if missing:
            raise ValueError(
                f"--{', --'.join(missing)} is missing: give every process --coordinator HOST:PORT, "
                "--processes N and --process 0 .. N-1; or none of them on a TPU slice and under "
                "SLURM or MPI"
            )
        assert self.process is not None and self.processes is not None
        if not 0 <= self.process < self.processes:
            raise ValueError(
                f"--process {self.process} of {self.processes}: processes are numbered "
                f"0 .. {self.processes - 1}"
            )
        if ":" not in (self.coordinator or ""):
            raise ValueError(f"--coordinator {self.coordinator} has no port: give HOST:PORT")
        jax.distributed.initialize(
            self.coordinator, self.processes, self.process,
            heartbeat_timeout_seconds=self.heartbeat_timeout,
        )  # fmt: skip
        explain_terminations()


LOST_MESSAGE = """
The communication library ends this process: most likely another task died, and the error below is
how this process sees it. Saved checkpoints are complete; rerun the same commands to resume.
"""
_handlers: list[Any] = []  # references to C++ callbacks, which must not be garbage-collected


def explain_terminations() -> None:
    """Prints `LOST_MESSAGE` before an uncaught C++ exception ends this process.

    Gloo, the library for collectives on CPUs, throws an uncatchable exception about mismatched
    sizes when the receiver of a message is gone and another message takes its buffer.
    """
    try:
        set_terminate = ctypes.CDLL("libstdc++.so.6")._ZSt13set_terminatePFvvE
    except (OSError, AttributeError):  # not libstdc++: the exception is printed alone
        return
    handler = ctypes.CFUNCTYPE(None)
    set_terminate.restype = ctypes.c_void_p

    def explain() -> None:
        print(LOST_MESSAGE, file=sys.stderr, flush=True)
        handler(before)()

    _handlers.append(handler(explain))
    before = set_terminate(_handlers[-1])


def launcher_detected(environment: Mapping[str, str]) -> bool:
    """Whether a launcher that `jax.distributed` supports has started this process.

    True on every TPU machine: a machine of a slice cannot use its chips alone.
    """
    counts = ("SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE")
    if any(int(environment.get(name) or 1) > 1 for name in counts):
        return True
    chips = glob.glob("/dev/accel*") + glob.glob("/dev/vfio/[0-9]*")
    allowed = "tpu" in (environment.get("JAX_PLATFORMS") or "tpu")
    return bool(chips) and allowed and importlib.util.find_spec("libtpu") is not None


def is_main_process() -> bool:
    """Whether this is process 0, the only one that prints."""
    return jax.process_index() == 0


def barrier(name: str) -> None:
    """Waits until all processes reach the barrier of this name."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def wait_for(previous: Any, current: Any) -> None:
    """Waits for the outputs of the previous program while the current one runs.

    When a process is lost, JAX ends the others and prints the reason: at once if it was process 0,
    else after `Processes.heartbeat_timeout`. Gloo, on CPUs, fails sooner and with another message
    if a program still runs, so there the current program is waited for too.
    """
    gloo = jax.process_count() > 1 and jax.default_backend() == "cpu"
    jax.block_until_ready((previous, current) if gloo else previous)


def reached_preemption(step: int) -> bool:
    """Whether a preemption notice has arrived and this is the step at which to save.

    Call it in all processes at every step: all get the same answer. The platform's notice is a
    SIGTERM that no other handler catches.
    """
    return multihost_utils.reached_preemption_sync_point(step)


class ReducedSignal:
    """The maximum over all processes of a number that each passes, the same in all of them.

    With one process a call returns its own number. With several it returns the maximum of the
    previous call (0 at the first): that all-reduce is complete by then, so no process waits for
    another and the devices stay busy.
    """

    def __init__(self, mesh: jax.sharding.Mesh):
        self._devices = len(mesh.local_devices)
        self._sharding = NamedSharding(mesh, PartitionSpec(mesh.axis_names))
        self._max = jax.jit(
            lambda numbers: numbers.max(), out_shardings=NamedSharding(mesh, PartitionSpec())
        )
        self._previous: jax.Array | None = None

    def __call__(self, number: int) -> int:
        if jax.process_count() == 1:
            return number
        local = np.full(self._devices, number, np.int32)
        numbers = jax.make_array_from_process_local_data(self._sharding, local)
        previous, self._previous = self._previous, self._max(numbers)
        wait_for(previous, self._previous)
        return 0 if previous is None else int(previous)
