"""Times: distributions of the training logsnr. Each draws `shape` values, usually [b] or [b n]."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from vdm_jax.diffusion.schedules import Schedule
from vdm_jax.types import Key, LogSNR


@runtime_checkable
class Times(Protocol):
    """A distribution over the noise levels of training."""

    def __call__(self, key: Key, shape: tuple[int, ...], schedule: Schedule) -> LogSNR: ...


@dataclass(frozen=True)
class Uniform:
    """logsnr(t), t ~ U[0, 1]. Ho et al. 2022, section 2."""

    def __call__(self, key: Key, shape: tuple[int, ...], schedule: Schedule) -> LogSNR:
        """Independent draws."""
        return schedule(jax.random.uniform(key, shape))


@dataclass(frozen=True)
class Stratified:
    """logsnr(t_i), t_i = (u + i / b) mod 1, one u ~ U[0, 1] for the batch.

    Each t_i is uniform, and every batch covers [0, 1] evenly, which reduces the loss's variance.
    Kingma et al. 2021. Axes after the first have their own u.
    """

    def __call__(self, key: Key, shape: tuple[int, ...], schedule: Schedule) -> LogSNR:
        """Draws spread evenly along the first axis."""
        if not shape:
            raise ValueError("Stratified spreads t over a batch: shape=() has no batch axis")
        offsets = jnp.arange(shape[0]) / shape[0]
        u = jax.random.uniform(key, (1, *shape[1:]))
        return schedule((u + offsets.reshape(-1, *(1,) * (len(shape) - 1))) % 1)


@dataclass(frozen=True)
class Discrete:
    """logsnr(i / steps), i ~ U{1, ..., steps}: the times that a sampler of `steps` steps visits.

    Ho et al. 2020 (with `DiscreteBetas`); Salimans & Ho 2022, algorithm 2.
    """

    steps: int

    def __post_init__(self):
        if self.steps < 1:
            raise ValueError(f"Discrete: steps={self.steps} must be at least 1")

    def __call__(self, key: Key, shape: tuple[int, ...], schedule: Schedule) -> LogSNR:
        """Independent draws."""
        return schedule(jax.random.randint(key, shape, 1, self.steps + 1) / self.steps)


@dataclass(frozen=True)
class LogNormal:
    """log(sigma / alpha) ~ N(mean, std^2): logsnr ~ N(-2 mean, (2 std)^2), whatever the schedule.

    Karras et al. 2022 (EDM), table 1.
    """

    mean: float = -1.2
    std: float = 1.2

    def __call__(self, key: Key, shape: tuple[int, ...], schedule: Schedule) -> LogSNR:
        """Independent draws."""
        return -2 * (self.mean + self.std * jax.random.normal(key, shape))


@dataclass(frozen=True)
class LogitNormal:
    """logsnr(t), log(t / (1 - t)) ~ N(mean, std^2). Use it with `RectifiedFlow`.

    Esser et al. 2024, eq. 19.
    """

    mean: float = 0.0
    std: float = 1.0

    def __call__(self, key: Key, shape: tuple[int, ...], schedule: Schedule) -> LogSNR:
        """Independent draws."""
        return schedule(jax.nn.sigmoid(self.mean + self.std * jax.random.normal(key, shape)))
