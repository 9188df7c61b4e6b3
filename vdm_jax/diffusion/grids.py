"""Grids: at which times a sampler calls the denoiser.

A grid of N steps is N + 1 decreasing times (increasing for inversion): the denoiser is called at
the first N, and update i goes from time i to time i + 1. Where sampling stops at data, t = 0, the
last update returns x_hat itself, so that no noise is left.
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
    """Equal steps: t_i = i / N, called at 1, ..., 1 / N. Ho et al. 2022; Salimans & Ho 2022."""

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
    """Stable Diffusion's: every (total // N)-th of a `DiscreteBetas`'s `total` steps, from `offset`
    on.

    Called at steps k = (N - 1) (total // N) + offset, ..., total // N + offset, offset.
    With stop = 1 / total the result is z at the table's first step, with stop = 0 it is x_hat.
    """

    total: int = 1000
    offset: int = 1

    def __call__(self, steps: int, start: float, stop: float) -> np.ndarray:
        """[steps + 1] times; only whole runs, start = 1."""
        if start != 1:
            raise ValueError(
                f"Leading: start={start}, but this grid is one of whole runs; resume with "
                "Trailing() from t = (k + 1) / total of the step k wanted"
            )
        if steps > self.total:
            raise ValueError(f"Leading: {steps} steps do not fit a table of total={self.total}")
        k = np.arange(steps)[::-1] * (self.total // steps) + self.offset
        return np.append((k + 1) / self.total, stop)


def logsnr_grid(
    process: Process, grid: Grid, steps: int, start: float, stop: float
) -> tuple[LogSNR, int]:
    """The logsnr at each time of a grid [steps + 1], and which update is to return x_hat.

    That is the last, `steps - 1`, where sampling stops at data, and otherwise none (`steps`).
    Raises ValueError for times outside [0, 1] or for no steps.
    """
    if steps < 1:
        raise ValueError(f"a sampler needs at least one step, got steps={steps}")
    if not (0 <= start <= 1 and 0 <= stop <= 1):
        raise ValueError(f"times lie in [0, 1] (1 is noise), got start={start}, stop={stop}")
    logsnr = process.schedule(jnp.asarray(grid(steps, start, stop), jnp.zeros(()).dtype))
    return logsnr, steps - 1 if stop == 0 else steps
