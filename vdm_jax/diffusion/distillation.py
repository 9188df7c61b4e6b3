"""Distillation: the x_hat whose one deterministic step lands where two steps land."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from vdm_jax.diffusion.marginals import expand
from vdm_jax.diffusion.process import Process
from vdm_jax.diffusion.schedules import Schedule
from vdm_jax.types import Denoiser, LogSNR, Video


def merge_steps(
    first: Video, second: Video, logsnr_t: LogSNR, logsnr_m: LogSNR, logsnr_s: LogSNR
) -> Video:
    """x with ddim(x, t -> s) = ddim(second, m -> s) after ddim(first, t -> m).

    x = p second + (1 - p) first,  p = expm1((l_m - l_s) / 2) / expm1((l_t - l_s) / 2).

    Salimans & Ho 2022, algorithm 2, line 9, with z_t eliminated: a convex combination, which keeps
    its digits in float32 however short the steps, where the quotient of differences loses them.
    At logsnr_s = inf sampling ends with x_hat itself, and x is `second`; a second step of no length
    (m = s) leaves `first`.
    """
    l_t, l_m, l_s = (expand(a, first) for a in (logsnr_t, logsnr_m, logsnr_s))
    p = jnp.expm1((l_m - l_s) / 2) / jnp.expm1((l_t - l_s) / 2)
    return jnp.where(l_m < l_s, p * second + (1 - p) * first, first)


def two_steps(
    denoiser: Denoiser,
    z: Video,
    process: Process,
    logsnr_t: LogSNR,
    logsnr_m: LogSNR,
    logsnr_s: LogSNR,
) -> Video:
    """The x_hat with which one step of DDIM, t -> s, lands where two land, t -> m -> s.

    Two calls of the denoiser. Salimans & Ho 2022, algorithm 2, lines 6 to 9.
    """

    def step(z: Video, levels: LogSNR) -> tuple[Video, Video]:
        x_hat = denoiser(z, levels[0])
        return process.ddim(x_hat, z, levels[0], levels[1]), x_hat

    # A loop has one copy of the network in the program, which compiles in half the time.
    logsnr = jnp.stack([jnp.stack([logsnr_t, logsnr_m]), jnp.stack([logsnr_m, logsnr_s])])
    _, (first, second) = jax.lax.scan(step, z, logsnr)
    return merge_steps(first, second, logsnr_t, logsnr_m, logsnr_s)


Index = Int[Array, "*batch"]


def grid_logsnr(schedule: Schedule, index: Index, steps: Index | int) -> LogSNR:
    """logsnr(index / steps); inf at index 0 (or below), where sampling ends with x_hat itself."""
    return jnp.where(index > 0, schedule(jnp.maximum(index, 1) / steps), jnp.inf)


@runtime_checkable
class Jump(Protocol):
    """logsnr at t = i / steps and where the teacher's two steps from there lead: t > m > s."""

    def __call__(
        self, schedule: Schedule, i: Index, steps: Index
    ) -> tuple[LogSNR, LogSNR, LogSNR]: ...


@dataclass(frozen=True)
class DeterministicJump:
    """From i / N to (i - 1) / N by way of the middle: a student for `DDIM` of N steps.

    Salimans & Ho 2022, algorithm 2.
    """

    def __call__(self, schedule: Schedule, i: Index, steps: Index) -> tuple[LogSNR, LogSNR, LogSNR]:
        """logsnr of t, m, s, shaped like `i`."""
        t, m, s = (grid_logsnr(schedule, 2 * i - k, 2 * steps) for k in range(3))
        return t, m, s


@dataclass(frozen=True)
class StochasticJump:
    """From i / N to (i - 2) / N by way of (i - 1) / N: a student for `Stochastic` of N steps.

    At i = 1 only one step is left, which the teacher makes at once. A teacher of 2 N steps was
    itself made to go 1 / N in one call, and one that was not distilled takes steps of 1 / N.
    Meng et al. 2023, section 3.3.
    """

    def __call__(self, schedule: Schedule, i: Index, steps: Index) -> tuple[LogSNR, LogSNR, LogSNR]:
        """logsnr of t, m, s, shaped like `i`."""
        t, m, s = (grid_logsnr(schedule, i - k, steps) for k in range(3))
        return t, m, s
