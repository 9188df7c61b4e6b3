"""Grids: the times at which a sampler calls the denoiser.

A grid of N steps is N + 1 decreasing times (increasing for inversion): the sampler calls the
denoiser at the first N, and update i goes from time i to time i + 1. Where sampling stops at data,
t = 0, the last update returns x_hat itself, so no noise remains.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax.numpy as jnp
import numpy as np

from vdm_jax.diffusion.process import Process
from vdm_jax.types import LogSNR


@runtime_checkable
class Grid(Protocol):
    """The times of `steps` updates from `start` to `stop`: float64 [steps + 1]."""

    def __call__(self, steps: int, start: float, stop: float) -> np.ndarray: ...


@dataclass(frozen=True)
class Trailing:
    """Equal steps: t_i = i / N, with calls at 1, ..., 1 / N. Ho et al. 2022; Salimans & Ho 2022."""

    def __call__(self, steps: int, start: float, stop: float) -> np.ndarray:
        """[steps + 1] times."""
        return np.linspace(start, stop, steps + 1)


@dataclass(frozen=True)
class Linspace:
    """N equally spaced calls, the last of them at `stop`: with `Karras`, the grid of EDM and SVD.

    Karras et al. 2022 (EDM), eq. 5.
    """

    def __call__(self, steps: int, start: float, stop: float) -> np.ndarray:
        """[steps + 1] times, `stop` twice."""
        return np.append(np.linspace(start, stop, steps), stop)


@dataclass(frozen=True)
class Leading:
    """Stable Diffusion's grid: every (total // N)-th step of a `DiscreteBetas`, from `offset`.

    Calls at steps k = (N - 1) (total // N) + offset, ..., total // N + offset, offset.
    With stop = 1 / total the result is z at the schedule's first step, with stop = 0 it is x_hat.

    total: the steps of the `DiscreteBetas`.
    offset: the step of the last call.
    """

    total: int = 1000
    offset: int = 1

    def __call__(self, steps: int, start: float, stop: float) -> np.ndarray:
        """[steps + 1] times. Raises ValueError where start is not 1 or steps exceeds total."""
        if start != 1:
            raise ValueError(
                f"Leading: start={start} must be 1; to start at step k use Trailing() with "
                "start = (k + 1) / total"
            )
        if steps > self.total:
            raise ValueError(f"Leading: {steps} steps exceed the schedule's total={self.total}")
        k = np.arange(steps)[::-1] * (self.total // steps) + self.offset
        return np.append((k + 1) / self.total, stop)


@dataclass(frozen=True)
class GridSegment:
    """Consecutive steps of a longer grid: times `first`, ..., `first` + steps of `total` steps.

    Sampling by segments, one after another, equals sampling by the whole grid.

    grid: the whole grid.
    total: its steps.
    first: the first step of the segment, counted from 0.
    """

    grid: Grid
    total: int
    first: int = 0

    def __call__(self, steps: int, start: float, stop: float) -> np.ndarray:
        """[steps + 1] times. Raises ValueError where the segment ends after the grid."""
        if self.first < 0 or self.first + steps > self.total:
            raise ValueError(
                f"GridSegment: steps {self.first} .. {self.first + steps} are not within a grid of "
                f"{self.total} steps"
            )
        return self.grid(self.total, start, stop)[self.first : self.first + steps + 1]


@dataclass(frozen=True)
class ReversedGrid:
    """The times of a grid from data to noise, for inversion.

    grid: a grid from noise to data.
    """

    grid: Grid

    def __call__(self, steps: int, start: float, stop: float) -> np.ndarray:
        """[steps + 1] times from `start` up to at most `stop`."""
        return self.grid(steps, stop, start)[::-1]


def logsnr_grid(
    process: Process, grid: Grid, steps: int, start: float, stop: float
) -> tuple[LogSNR, int]:
    """(logsnr at each time of a grid [steps + 1], index of the update that returns x_hat).

    The index is `steps - 1` where sampling stops at data, else `steps`, which is no update.

    Raises:
      ValueError: times outside [0, 1], the grid's own included, or no steps.
    """
    if steps < 1:
        raise ValueError(f"steps={steps}: a sampler needs at least one step")
    if not (0 <= start <= 1 and 0 <= stop <= 1):
        raise ValueError(f"start={start}, stop={stop} must lie in [0, 1] (0 is data, 1 is noise)")
    times = grid(steps, start, stop)
    if times.min() < 0 or times.max() > 1:
        raise ValueError(
            f"{grid} with {steps} steps has times from {times.min():g} to {times.max():g}: they "
            "must lie in [0, 1]; take fewer steps"
        )
    logsnr = process.schedule(jnp.asarray(times, jnp.zeros(()).dtype))
    return logsnr, steps - 1 if times[-1] == 0 else steps
