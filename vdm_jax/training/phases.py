"""The phases of a task: where each one ends."""

import itertools

from vdm_jax.interfaces import PhasedTask, Task


def phase_ends(task: Task, steps: int) -> tuple[int, ...]:
    """The step at which each phase ends; the last is the run's length.

    steps: the updates of a phase of length 1.
    """
    lengths = task.phases if isinstance(task, PhasedTask) else (1,)
    return tuple(itertools.accumulate(steps * length for length in lengths))
