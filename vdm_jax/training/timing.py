"""Where the time of a run goes, and what its steps do."""

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Any

import jax

WARM = 2  # steps before a trace: the first compiles, the second may still wait for data


class StepTimer:
    """Seconds by what the host was doing, from one line of the log to the next.

    data: waiting for the next batch. host: sending it, and starting the step. device: waiting for
    the devices, which are at most two steps behind. Where `device` is small the devices are idle:
    `data` or `host` says for whom they wait.
    """

    KINDS = ("data", "host", "device")

    def __init__(self):
        self._spent: dict[str, float] = {}
        self._steps = 0

    @contextlib.contextmanager
    def measure(self, kind: str) -> Iterator[None]:
        """What happens inside is of this kind."""
        began = time.perf_counter()
        yield
        self._spent[kind] = self._spent.get(kind, 0.0) + time.perf_counter() - began

    def step(self) -> None:
        """A step is over."""
        self._steps += 1

    def lap(self) -> dict[str, float]:
        """Mean seconds a step of each kind since the last call."""
        steps = max(self._steps, 1)
        found = {kind: round(self._spent.get(kind, 0.0) / steps, 6) for kind in self.KINDS}
        self._spent, self._steps = {}, 0
        return found


class Trace:
    """An XProf trace of `steps` steps of a run, once it is warm; of none for 0.

    It lies in `folder`, where TensorBoard's profile page and XProf find it.
    """

    def __init__(self, folder: str | os.PathLike, steps: int):
        self.folder, self._wait, self._left, self._on = os.fspath(folder), WARM, steps, False

    @contextlib.contextmanager
    def step(self, number: int) -> Iterator[list[Any]]:
        """One step; what it gives is to be put on the list, so that the trace sees it end."""
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
        """Writes what there is of the trace."""
        if self._on:
            jax.profiler.stop_trace()
            self._on = False
