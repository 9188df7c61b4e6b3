"""Schedules: t in [0, 1] to logsnr and back; t = 0 is data, t = 1 is noise, logsnr decreases.

All are finite at both ends. `Cosine` and `RectifiedFlow` are truncated to [logsnr_min, logsnr_max]
by an affine map of their angle or time, not by clipping, so they stay invertible. Near t = 1 they
are functions of 1 - t, which is exact in float32 where t itself loses digits.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from vdm_jax.types import LogSNR, Time


@runtime_checkable
class Schedule(Protocol):
    """A strictly decreasing map from t to logsnr."""

    def __call__(self, t: Time) -> LogSNR: ...
    def inverse(self, logsnr: LogSNR) -> Time: ...


def slope(schedule: Schedule, t: Time) -> LogSNR:
    """d logsnr / dt at `t`: negative, shaped like `t`."""
    t = jnp.asarray(t)
    return jax.jvp(schedule, (t,), (jnp.ones_like(t),))[1]


def _require_ordered(schedule: Schedule, logsnr_min: float, logsnr_max: float) -> None:
    if not logsnr_min < logsnr_max:
        raise ValueError(
            f"{type(schedule).__name__}: logsnr_min={logsnr_min} must be below "
            f"logsnr_max={logsnr_max}; are they swapped?"
        )


def _require_positive(schedule: Schedule, name: str, value: float) -> None:
    if not value > 0:
        raise ValueError(f"{type(schedule).__name__}: {name}={value} must be positive")


@dataclass(frozen=True)
class Cosine:
    """logsnr = -2 log tan(a t + b): alpha = cos, sigma = sin of an angle linear in t.

    b = arctan exp(-logsnr_max / 2), a = arctan exp(-logsnr_min / 2) - b.
    Nichol & Dhariwal 2021; truncated as in Ho et al. 2022 and Salimans & Ho 2022.
    """

    logsnr_min: float = -20.0
    logsnr_max: float = 20.0

    def __post_init__(self):
        _require_ordered(self, self.logsnr_min, self.logsnr_max)

    @property
    def _angles(self) -> tuple[float, float, float]:
        """The angle above 0 at t = 0, the angle below pi/2 at t = 1, and their distance."""
        above = math.atan(math.exp(-self.logsnr_max / 2))
        below = math.atan(math.exp(self.logsnr_min / 2))
        return above, below, math.pi / 2 - below - above

    def __call__(self, t: Time) -> LogSNR:
        """logsnr at `t`."""
        above, below, span = self._angles
        # In float32 log tan near pi/2 loses digits; a sine of the complementary angle does not.
        cosine, sine = jnp.sin(span * (1 - t) + below), jnp.sin(span * t + above)
        return 2 * (jnp.log(cosine) - jnp.log(sine))

    def inverse(self, logsnr: LogSNR) -> Time:
        """The inverse: t at `logsnr`."""
        above, _, span = self._angles
        return (jnp.arctan(jnp.exp(-logsnr / 2)) - above) / span


@dataclass(frozen=True)
class ShiftedCosine:
    """cosine(t) + 2 log(noise_resolution / resolution): more noise for larger frames.

    Keeps the signal-to-noise ratio after pooling to `noise_resolution` constant. The shift follows
    the truncation, so both ends move. Hoogeboom et al. 2023 (simple diffusion).

    resolution, noise_resolution: side of a frame, pixels.
    cosine: the schedule before the shift.
    """

    resolution: float
    noise_resolution: float = 64.0
    cosine: Cosine = Cosine()

    def __post_init__(self):
        _require_positive(self, "resolution", self.resolution)
        _require_positive(self, "noise_resolution", self.noise_resolution)

    @property
    def _shift(self) -> float:
        return 2 * math.log(self.noise_resolution / self.resolution)

    def __call__(self, t: Time) -> LogSNR:
        """logsnr at `t`."""
        return self.cosine(t) + self._shift

    def inverse(self, logsnr: LogSNR) -> Time:
        """The inverse: t at `logsnr`."""
        return self.cosine.inverse(logsnr - self._shift)


@dataclass(frozen=True)
class InterpolatedCosine:
    """t shifted(low) + (1 - t) shifted(high): a shift that grows with t.

    shifted(d) = cosine(t) + 2 log(d / resolution); low < high shifts the noisy end the most.
    Hoogeboom et al. 2023 (simple diffusion).
    """

    resolution: float
    low: float = 32.0
    high: float = 256.0
    cosine: Cosine = Cosine()

    def __post_init__(self):
        _require_positive(self, "resolution", self.resolution)
        if not 0 < self.low <= self.high:
            raise ValueError(
                f"InterpolatedCosine: low={self.low} must be positive and at most high={self.high} "
                "(logsnr would not decrease); are they swapped?"
            )

    def __call__(self, t: Time) -> LogSNR:
        """logsnr at `t`."""
        low = 2 * math.log(self.low / self.resolution)
        high = 2 * math.log(self.high / self.resolution)
        return self.cosine(t) + low * t + high * (1 - t)

    def inverse(self, logsnr: LogSNR) -> Time:
        """The inverse: t at `logsnr`, by bisection, since there is no closed form."""
        logsnr = jnp.asarray(logsnr)

        def halve(_, bracket):
            early, late = bracket
            middle = (early + late) / 2
            noisier = self(middle) < logsnr
            return jnp.where(noisier, early, middle), jnp.where(noisier, middle, late)

        halvings = jnp.finfo(logsnr.dtype).nmant + 1
        bracket = jnp.zeros_like(logsnr), jnp.ones_like(logsnr)
        early, late = jax.lax.fori_loop(0, halvings, halve, bracket)
        return (early + late) / 2


@dataclass(frozen=True)
class LinearBeta:
    """logsnr = -log expm1(beta_min t + (beta_max - beta_min) t^2 / 2): the VP SDE.

    Song et al. 2021 (score-based SDEs). An affine map of t makes logsnr `logsnr_max` at t = 0.
    """

    beta_min: float = 0.1
    beta_max: float = 20.0
    logsnr_max: float = 20.0

    def __post_init__(self):
        _require_positive(self, "beta_min", self.beta_min)
        if self.beta_max < self.beta_min:
            raise ValueError(
                f"LinearBeta: beta_max={self.beta_max} is below beta_min={self.beta_min}; "
                "are they swapped?"
            )

    @property
    def _first(self) -> float:
        integral = math.log1p(math.exp(-self.logsnr_max))
        growth = self.beta_max - self.beta_min
        return 2 * integral / (self.beta_min + math.sqrt(self.beta_min**2 + 2 * growth * integral))

    def __call__(self, t: Time) -> LogSNR:
        """logsnr at `t`."""
        t = self._first + (1 - self._first) * t
        return -jnp.log(jnp.expm1(t * (self.beta_min + (self.beta_max - self.beta_min) * t / 2)))

    def inverse(self, logsnr: LogSNR) -> Time:
        """The inverse: t at `logsnr`."""
        integral = jax.nn.softplus(-logsnr)
        growth = self.beta_max - self.beta_min
        root = jnp.sqrt(self.beta_min**2 + 2 * growth * integral)
        return (2 * integral / (self.beta_min + root) - self._first) / (1 - self._first)


@dataclass(frozen=True)
class Karras:
    """sigma(t)^(1/rho) linear in t from sigma_min to sigma_max; logsnr = -2 log sigma.

    Karras et al. 2022 (EDM), eq. 5, whose i/(N - 1) is 1 - t: sample with the `Linspace` grid.
    """

    sigma_min: float = 0.002
    sigma_max: float = 80.0
    rho: float = 7.0

    def __post_init__(self):
        _require_positive(self, "sigma_min", self.sigma_min)
        _require_positive(self, "rho", self.rho)
        if self.sigma_max <= self.sigma_min:
            raise ValueError(
                f"Karras: sigma_max={self.sigma_max} must exceed sigma_min={self.sigma_min}; "
                "are they swapped?"
            )

    @property
    def _roots(self) -> tuple[float, float]:
        return self.sigma_min ** (1 / self.rho), self.sigma_max ** (1 / self.rho)

    def __call__(self, t: Time) -> LogSNR:
        """logsnr at `t`."""
        low, high = self._roots
        return -2 * self.rho * jnp.log(low + t * (high - low))

    def inverse(self, logsnr: LogSNR) -> Time:
        """The inverse: t at `logsnr`."""
        low, high = self._roots
        return (jnp.exp(-logsnr / (2 * self.rho)) - low) / (high - low)


@dataclass(frozen=True)
class RectifiedFlow:
    """logsnr = 2 log((1 - t) / t) - 2 log(shift): uniform time on the path (1 - t) x + t eps.

    logsnr_min, logsnr_max: the bounds before the shift, which moves both.
    shift: s of the resolution shift t' = s t / (1 + (s - 1) t), Esser et al. 2024, eq. 23.
    """

    logsnr_min: float = -20.0
    logsnr_max: float = 20.0
    shift: float = 1.0

    def __post_init__(self):
        _require_ordered(self, self.logsnr_min, self.logsnr_max)
        _require_positive(self, "shift", self.shift)

    @property
    def _ends(self) -> tuple[float, float, float]:
        """The time above 0 at t = 0, the time below 1 at t = 1, and their distance."""
        above = 1 / (1 + math.exp(self.logsnr_max / 2))
        below = 1 / (1 + math.exp(-self.logsnr_min / 2))
        return above, below, 1 - below - above

    def __call__(self, t: Time) -> LogSNR:
        """logsnr at `t`."""
        above, below, span = self._ends
        data, noise = span * (1 - t) + below, span * t + above
        return 2 * (jnp.log(data) - jnp.log(noise)) - 2 * math.log(self.shift)

    def inverse(self, logsnr: LogSNR) -> Time:
        """The inverse: t at `logsnr`."""
        above, _, span = self._ends
        return (jax.nn.sigmoid(-logsnr / 2 - math.log(self.shift)) - above) / span


@dataclass(frozen=True)
class DiscreteBetas:
    """A discrete schedule, as of DDPM and Stable Diffusion checkpoints, linearly interpolated.

    alpha_k^2 = prod_{j <= k} (1 - beta_j), k = 0, ..., steps - 1, with beta^(1/power) linear in k.
    Step k lies at t = (k + 1) / steps, so t = i / N is a step of the checkpoint's training; t = 0,
    one step before the first, extrapolates the first two.

    beta_start, beta_end: the first and the last beta.
    steps: the number of betas.
    power: 1 is the linear schedule of Ho et al. 2020, 2 the scaled-linear one of Stable Diffusion.
    """

    beta_start: float = 1e-4
    beta_end: float = 0.02
    steps: int = 1000
    power: float = 1.0

    def __post_init__(self):
        if not 0 < self.beta_start <= self.beta_end < 1:
            raise ValueError(
                f"DiscreteBetas: beta_start={self.beta_start} and beta_end={self.beta_end} must "
                "satisfy 0 < beta_start <= beta_end < 1; are they swapped?"
            )
        if self.steps < 2:
            raise ValueError(
                f"DiscreteBetas: steps={self.steps} must be at least 2 (1000 is usual)"
            )
        _require_positive(self, "power", self.power)

    def __call__(self, t: Time) -> LogSNR:
        """logsnr at `t`."""
        steps = jnp.arange(self.steps + 1.0)
        return jnp.interp(t * self.steps, steps, jnp.asarray(_logsnrs(self), steps.dtype))

    def inverse(self, logsnr: LogSNR) -> Time:
        """The `t` of a logsnr; 0 or 1 beyond the table's ends."""
        steps = jnp.arange(self.steps + 1.0)
        return jnp.interp(-logsnr, jnp.asarray(-_logsnrs(self), steps.dtype), steps) / self.steps

    def index(self, logsnr: LogSNR) -> LogSNR:
        """The step number k at `logsnr`, the time input of the checkpoint's network."""
        return self.inverse(logsnr) * self.steps - 1


@lru_cache
def _logsnrs(table: DiscreteBetas) -> np.ndarray:
    """logsnr at t = 0, 1/steps, ..., 1 in float64."""
    ends = table.beta_start ** (1 / table.power), table.beta_end ** (1 / table.power)
    log_alpha2 = np.cumsum(np.log1p(-(np.linspace(*ends, table.steps) ** table.power)))
    logsnr = log_alpha2 - np.log(-np.expm1(log_alpha2))
    return np.concatenate([[2 * logsnr[0] - logsnr[1]], logsnr])
