"""Guidance: functions from denoisers to a denoiser, independent of the sampler.

A guidance weight is a number or a function of logsnr; 1 is off.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from vdm_jax.diffusion.grids import Grid, Trailing
from vdm_jax.diffusion.marginals import expand
from vdm_jax.diffusion.process import Process
from vdm_jax.types import Denoiser, LogSNR, Video


@runtime_checkable
class GuidanceWeight(Protocol):
    """The weight at a logsnr for a video of `frames` frames: one value, [b], [b f] or [1 f]."""

    def __call__(self, logsnr: LogSNR, process: Process, frames: int) -> Array: ...


def classifier_free(
    cond: Denoiser, null: Denoiser, weight: float | Array | GuidanceWeight, process: Process
) -> Denoiser:
    """x_null + weight (x_cond - x_null). Ho & Salimans 2022, eq. 6, whose w is weight - 1.

    The same rule holds for eps and v, which are affine in x_hat at a given z. Weight 1 gives `cond`
    bit for bit; as a Python number it skips the call of `null`.
    """
    if isinstance(weight, int | float) and weight == 1:
        return cond

    def guided(z: Video, logsnr: LogSNR) -> Video:
        x_cond, x_null = cond(z, logsnr), null(z, logsnr)
        w = weight(logsnr, process, z.shape[1]) if callable(weight) else weight
        return x_cond + (expand(jnp.asarray(w, x_cond.dtype), z) - 1) * (x_cond - x_null)

    return guided


@dataclass(frozen=True)
class Oscillating:
    """`high` for the first steps, then `low`, `high`, `low`, ... Ho et al. 2022 (Imagen Video).

    high, low: the two weights.
    steps, grid: the sampler's; the step of a logsnr is the one nearest to it in time.
    first: steps before the oscillation; None is a tenth of all, rounded up.
    """

    high: float
    low: float
    steps: int
    first: int | None = None
    grid: Grid = Trailing()

    def __call__(self, logsnr: LogSNR, process: Process, frames: int) -> Array:
        """The weight, shaped like `logsnr`."""
        times = self.grid(self.steps, 1.0, 0.0)[:-1]
        # A step ends half-way to the next one's time; searchsorted needs increasing numbers.
        t = process.schedule.inverse(logsnr)
        step = jnp.searchsorted(-(times[1:] + times[:-1]) / 2, -t)
        first = -(-self.steps // 10) if self.first is None else self.first
        return jnp.where((step >= first) & ((step - first) % 2 == 0), self.low, self.high)


@dataclass(frozen=True)
class Interval:
    """`weight` where logsnr_min <= logsnr <= logsnr_max, else 1. Kynkaanniemi et al. 2024."""

    weight: float
    logsnr_min: float
    logsnr_max: float

    def __post_init__(self):
        if not self.logsnr_min < self.logsnr_max:
            raise ValueError(
                f"Interval: logsnr_min={self.logsnr_min} must be below "
                f"logsnr_max={self.logsnr_max}; are they swapped?"
            )

    def __call__(self, logsnr: LogSNR, process: Process, frames: int) -> Array:
        """The weight, shaped like `logsnr`."""
        inside = (self.logsnr_min <= logsnr) & (logsnr <= self.logsnr_max)
        return jnp.where(inside, self.weight, 1.0)


@dataclass(frozen=True)
class PerFrame:
    """A weight linear in the frame index, from `first` to `last`. Blattmann et al. 2023 (SVD)."""

    first: float
    last: float

    def __call__(self, logsnr: LogSNR, process: Process, frames: int) -> Array:
        """The weight of every frame, [1 f]."""
        return jnp.asarray(np.linspace(self.first, self.last, frames)[None])
