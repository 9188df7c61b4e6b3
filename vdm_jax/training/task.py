"""What is trained: all that the training loop knows of diffusion."""

import itertools
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from vdm_jax.types import Key, Metrics, Params, Scalar

Batch = Mapping[str, Any]


class Task(Protocol):
    """A loss over batches. `frozen` parameters are used, never updated, never optimised."""

    def init(self, key: Key, batch: Batch) -> tuple[Params, Params]:
        """(trained, frozen) parameters for batches of these shapes."""
        ...

    def loss(
        self, params: Params, frozen: Params, key: Key, batch: Batch
    ) -> tuple[Scalar, Metrics]:
        """The mean loss of a batch, and what else is worth a line in the log.

        A metric is a pair [sum, count], reported as the mean over the steps between two lines, or
        a dict of metrics.
        """
        ...


@runtime_checkable
class PhasedTask(Task, Protocol):
    """A task of several parts, one after the other, each beginning from what the last one reached.

    Every part has an optimizer state of its own and its own course of the learning rate.
    """

    @property
    def phases(self) -> tuple[int, ...]:
        """The length of each part, in units of the experiment's `steps`."""
        ...

    def load_initial(self, params: Params, folder: str | None = None) -> Params:
        """What the first part begins from, given parameters as `init` makes them; reads files.

        folder: an export to begin from, in place of what the task itself names.
        """
        ...

    def next_phase(self, params: Params, frozen: Params) -> tuple[Params, Params]:
        """(trained, frozen) parameters at the beginning of a part, from those reached before it.

        A pure function, compiled once: what differs between parts is data in `frozen`.
        """
        ...


def phase_ends(task: Task, steps: int) -> tuple[int, ...]:
    """The number of updates after which each part of a run is over; the last is its length."""
    parts = task.phases if isinstance(task, PhasedTask) else (1,)
    return tuple(itertools.accumulate(steps * length for length in parts))
