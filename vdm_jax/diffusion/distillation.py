"""Progressive distillation targets: the x_hat with which one DDIM step equals two."""

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

    Salimans & Ho 2022, algorithm 2, line 9, with z_t eliminated: a convex combination, accurate in
    float32 for steps of any length, where the paper's quotient of differences loses digits. At
    logsnr_s = inf sampling ends with x_hat itself, so x is `second`; a second step of zero length
    (m = s) gives `first`.
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
    """The x_hat with which one DDIM step, t -> s, equals two, t -> m -> s.

    Calls the denoiser twice. Salimans & Ho 2022, algorithm 2, lines 6 to 9.
    """

    def step(z: Video, levels: LogSNR) -> tuple[Video, Video]:
        x_hat = denoiser(z, levels[0])
        return process.ddim(x_hat, z, levels[0], levels[1]), x_hat

    # A loop compiles the network once instead of twice: half the compile time.
    logsnr = jnp.stack([jnp.stack([logsnr_t, logsnr_m]), jnp.stack([logsnr_m, logsnr_s])])
    _, (first, second) = jax.lax.scan(step, z, logsnr)
    return merge_steps(first, second, logsnr_t, logsnr_m, logsnr_s)


Index = Int[Array, "*batch"]
Steps = Int[Array, "*#batch"] | int


def grid_logsnr(schedule: Schedule, index: Index, steps: Steps) -> LogSNR:
    """logsnr(index / steps); inf at index 0 or below, where sampling ends with x_hat itself."""
    return jnp.where(index > 0, schedule(jnp.maximum(index, 1) / steps), jnp.inf)


@runtime_checkable
class Jump(Protocol):
    """logsnr of t = i / steps and of the ends m, s of the teacher's two steps: t > m > s."""

    def __call__(
        self, schedule: Schedule, i: Index, steps: Steps
    ) -> tuple[LogSNR, LogSNR, LogSNR]: ...


@dataclass(frozen=True)
class DeterministicJump:
    """From i / N to (i - 1) / N through the midpoint: a student for `DDIM` with N steps.

    Salimans & Ho 2022, algorithm 2.
    """

    def __call__(self, schedule: Schedule, i: Index, steps: Steps) -> tuple[LogSNR, LogSNR, LogSNR]:
        """logsnr of t, m and s, each shaped like `i`."""
        t, m, s = (grid_logsnr(schedule, 2 * i - k, 2 * steps) for k in range(3))
        return t, m, s


@dataclass(frozen=True)
class StochasticJump:
    """From i / N to (i - 2) / N through (i - 1) / N: a student for `Stochastic` with N steps.

    At i = 1 the teacher makes one step only. A distilled teacher of 2 N steps covers 1 / N in one
    call, and an undistilled teacher takes steps of 1 / N.
    Meng et al. 2023, section 3.3.
    """

    def __call__(self, schedule: Schedule, i: Index, steps: Steps) -> tuple[LogSNR, LogSNR, LogSNR]:
        """logsnr of t, m and s, each shaped like `i`."""
        t, m, s = (grid_logsnr(schedule, i - k, steps) for k in range(3))
        return t, m, s
