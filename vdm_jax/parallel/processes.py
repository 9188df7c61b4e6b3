"""Several processes as one run: how they start together, and how they stop at the same step."""

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
    """Which process of how many this is, and where they meet.

    coordinator: address and port of the first process, `10.0.0.1:1234`, the same for all of them.
    processes: how many there are. process: which of them this is, from 0.
    heartbeat_timeout: seconds without a sign of life after which a process is lost, and the others
    end.

    With none of the first three, a TPU slice, SLURM (srun) or Open MPI (mpirun) says it where the
    program runs under one of them, for `jax.distributed` asks them; elsewhere it is the only
    process.
    """

    coordinator: str | None = None
    processes: int | None = None
    process: int | None = None
    heartbeat_timeout: int = 30

    def start(self) -> None:
        """Joins the other processes. To be called before anything asks for a device.

        Raises:
          ValueError: only a part is told, or numbers that do not fit.
        """
        if self.heartbeat_timeout < 1:
            raise ValueError(f"--lost-after {self.heartbeat_timeout}: at least a second")
        told = {name: getattr(self, name) for name in ("coordinator", "processes", "process")}
        lacking = [name for name, value in told.items() if value is None]
        if len(lacking) == len(told):
            if launcher_detected(os.environ):
                jax.distributed.initialize(heartbeat_timeout_seconds=self.heartbeat_timeout)
                explain_terminations()
            return
        if lacking:
            raise ValueError(
                f"--{', --'.join(lacking)} is missing: of several processes each is told "
                "--coordinator HOST:PORT, --processes N and --process 0 .. N-1; or give none of "
                "them where a TPU slice, SLURM or MPI tells"
            )
        assert self.process is not None and self.processes is not None
        if not 0 <= self.process < self.processes:
            raise ValueError(
                f"--process {self.process} of {self.processes}: processes are numbered "
                f"0 .. {self.processes - 1}"
            )
        if ":" not in (self.coordinator or ""):
            raise ValueError(f"--coordinator {self.coordinator} names no port: HOST:PORT")
        jax.distributed.initialize(
            self.coordinator, self.processes, self.process,
            heartbeat_timeout_seconds=self.heartbeat_timeout,
        )  # fmt: skip
        explain_terminations()


LOST = """
This process is ended by the library through which processes talk: most likely another task died,
and what follows is how that looks from here. What is saved is whole; the same commands go on.
"""
_kept: list[Any] = []  # what C++ calls must not be collected


def explain_terminations() -> None:
    """From now on, the end of this process by an exception of C++ begins with what it means.

    Gloo, by which CPUs talk, throws where nobody can catch when the receiver of a message is gone
    and another message meets its place, and then speaks of mismatched sizes.
    """
    try:
        set_terminate = ctypes.CDLL("libstdc++.so.6")._ZSt13set_terminatePFvvE
    except (OSError, AttributeError):  # another C++ library: the exception speaks for itself
        return
    handler = ctypes.CFUNCTYPE(None)
    set_terminate.restype = ctypes.c_void_p

    def explain() -> None:
        print(LOST, file=sys.stderr, flush=True)
        handler(before)()

    _kept.append(handler(explain))
    before = set_terminate(_kept[-1])


def launcher_detected(environment: Mapping[str, str]) -> bool:
    """Whether a launcher that `jax.distributed` understands has started this process.

    The answer is yes on every TPU machine, for one of a slice cannot use its chips alone.
    """
    counts = ("SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE")
    if any(int(environment.get(name) or 1) > 1 for name in counts):
        return True
    chips = glob.glob("/dev/accel*") + glob.glob("/dev/vfio/[0-9]*")
    wanted = "tpu" in (environment.get("JAX_PLATFORMS") or "tpu")
    return bool(chips) and wanted and importlib.util.find_spec("libtpu") is not None


def is_main_process() -> bool:
    """Whether this process is the one that speaks for all."""
    return jax.process_index() == 0


def barrier(place: str) -> None:
    """Waits until all processes are at the same `place` in the program."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(place)


def wait_for(before: Any, now: Any) -> None:
    """Waits for what the program before gives, while the present one is on its way.

    Where a process has gone, JAX ends the others and says why: at once if it was the first, else
    when it has been silent for `Processes.lost_after`. Gloo, by which CPUs talk, is quicker and
    says something else if programs go on meanwhile; there the present one is waited for too.
    """
    gloo = jax.process_count() > 1 and jax.default_backend() == "cpu"
    jax.block_until_ready((before, now) if gloo else before)


def reached_preemption(step: int) -> bool:
    """Whether the machines will be taken away, and this is the step to save before they are.

    To be called by all processes at every step: the answer is the same for all of them. It is the
    platform's notice, which comes as a SIGTERM that nobody else catches.
    """
    return multihost_utils.reached_preemption_sync_point(step)


class ReducedSignal:
    """The largest number that any process says, known to all at the same call.

    With one process a call gives back what it says. With several it gives the largest number said
    at the call before (0 at the first): it has arrived by then, so that none waits for another, and
    the devices stay busy.
    """

    def __init__(self, mesh: jax.sharding.Mesh):
        self._devices = len(mesh.local_devices)
        self._said = NamedSharding(mesh, PartitionSpec(mesh.axis_names))
        self._largest = jax.jit(
            lambda numbers: numbers.max(), out_shardings=NamedSharding(mesh, PartitionSpec())
        )
        self._before: jax.Array | None = None

    def __call__(self, number: int) -> int:
        if jax.process_count() == 1:
            return number
        mine = np.full(self._devices, number, np.int32)
        said = jax.make_array_from_process_local_data(self._said, mine)
        before, self._before = self._before, self._largest(said)
        wait_for(before, self._before)
        return 0 if before is None else int(before)
