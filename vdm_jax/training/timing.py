"""The time of each step by kind, and profiler traces of steps."""

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Any

import jax

WARM = 2  # steps before a trace: the first compiles, the second may still wait for data


class StepTimer:
    """Seconds of the host, by kind, between two lines of the log.

    data: waiting for the next batch.
    host: transferring the batch and dispatching the step.
    device: waiting for the devices, which run at most two steps behind. If it is small, the devices
      are idle, waiting for `data` or `host`, whichever is larger.
    """

    KINDS = ("data", "host", "device")

    def __init__(self):
        self._seconds: dict[str, float] = {}
        self._steps = 0

    @contextlib.contextmanager
    def measure(self, kind: str) -> Iterator[None]:
        """Adds the time spent inside to a kind."""
        began = time.perf_counter()
        yield
        self._seconds[kind] = self._seconds.get(kind, 0.0) + time.perf_counter() - began

    def step(self) -> None:
        """Counts a step."""
        self._steps += 1

    def lap(self) -> dict[str, float]:
        """The mean seconds per step of each kind since the last call."""
        steps = max(self._steps, 1)
        means = {kind: round(self._seconds.get(kind, 0.0) / steps, 6) for kind in self.KINDS}
        self._seconds, self._steps = {}, 0
        return means


class Trace:
    """An XProf trace of the first `steps` warm steps of a run, in `folder`; none for 0 steps.

    TensorBoard's profile page and XProf read it from there.
    """

    def __init__(self, folder: str | os.PathLike, steps: int):
        self.folder, self._wait, self._left, self._on = os.fspath(folder), WARM, steps, False

    @contextlib.contextmanager
    def step(self, number: int) -> Iterator[list[Any]]:
        """Traces one step. Append its outputs to the list: the trace ends when they are ready."""
        if self._left and not self._wait and not self._on:
            jax.profiler.start_trace(self.folder)
            self._on = True
        self._wait = max(self._wait - 1, 0)
        results: list[Any] = []
        with jax.profiler.StepTraceAnnotation("train", step_num=number):
            yield results
        if self._on:
            self._left -= 1
            if not self._left:
                jax.block_until_ready(results)
                self.close()

    def close(self) -> None:
        """Writes the trace as far as it got."""
        if self._on:
            jax.profiler.stop_trace()
            self._on = False
