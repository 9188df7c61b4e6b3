"""Second-order samplers of the probability-flow ODE (protocol: `samplers.Sampler`)."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array

from vdm_jax.diffusion.grids import Grid, Linspace, Trailing, logsnr_grid
from vdm_jax.diffusion.keys import fold_in, normal
from vdm_jax.diffusion.process import Process
from vdm_jax.types import Denoiser, Keys, LogSNR, Video


@dataclass(frozen=True)
class DPMSolver:
    """DPM-Solver++(2M): a DDIM step with x_hat extrapolated from the last two.

    D = x_hat + (h / 2h') (x_hat - x_hat'),  z_s = (sigma_s / sigma_t) z_t - alpha_s expm1(-h) D,
    h the step in log(alpha / sigma), half the logsnr; primes are the previous step's.
    Lu et al. 2022 (DPM-Solver++), algorithm 2. The first update and the one that returns x_hat are
    of first order. `steps` calls of the denoiser.
    """

    steps: int
    grid: Grid = Trailing()

    def __call__(
        self,
        key: Keys,
        denoiser: Denoiser,
        z: Video,
        process: Process,
        *,
        start: float = 1.0,
        stop: float = 0.0,
    ) -> Video:
        """Samples; `key` is not used."""
        logsnr, last = logsnr_grid(process, self.grid, self.steps, start, stop)

        def update(i, carry):
            z, x_before, h_before = carry
            x_hat = denoiser(z, logsnr[i])
            h = (logsnr[i + 1] - logsnr[i]) / 2
            direction = x_hat + jnp.where(i == 0, 0, h / (2 * h_before)) * (x_hat - x_before)
            z_s = process.ddim(direction, z, logsnr[i], logsnr[i + 1])
            return jnp.where(i == last, x_hat, z_s), x_hat, h

        carry = z, jnp.zeros_like(z), jnp.ones_like(logsnr[0])
        return jax.lax.fori_loop(0, self.steps, update, carry)[0]


@dataclass(frozen=True)
class Heun:
    """EDM's sampler: Heun's method in sigma / alpha, after added noise (churn).

    d = (X - x_hat) / sigma,  X_s = X + (sigma_s - sigma)(d + d_s) / 2 with X = z / alpha, after a
    rise of the noise level from sigma to (1 + min(churn / steps, sqrt 2 - 1)) sigma.
    Karras et al. 2022 (EDM), algorithm 2. `2 steps - 1` calls of the denoiser. For schedules that
    start near sigma 80, such as `Karras`: from logsnr -20, sigma 2e4, the first step overshoots.

    churn_min, churn_max: the range of sigma where noise is added; None is no bound.
    churn_noise: the standard deviation of the added noise.
    """

    steps: int
    churn: float = 0.0
    churn_min: float = 0.0
    churn_max: float | None = None
    churn_noise: float = 1.0
    grid: Grid = Linspace()

    def __call__(
        self,
        key: Keys,
        denoiser: Denoiser,
        z: Video,
        process: Process,
        *,
        start: float = 1.0,
        stop: float = 0.0,
    ) -> Video:
        """Samples; only churn uses `key`."""
        logsnr, last = logsnr_grid(process, self.grid, self.steps, start, stop)

        def update(i, z):
            z, logsnr_t = self._add_churn(key, i, z, process, logsnr[i])
            x_hat = denoiser(z, logsnr_t)

            def corrected():
                z_s = process.ddim(x_hat, z, logsnr_t, logsnr[i + 1])
                x_s = denoiser(z_s, logsnr[i + 1])
                # (d + d_s) / 2 differs from d by a multiple of x_hat - x_s. This form avoids the
                # division by alpha, which is tiny at the start.
                alpha_s, _ = process.alpha_sigma(logsnr[i + 1])
                return z_s + alpha_s * jnp.expm1((logsnr[i + 1] - logsnr_t) / 2) / 2 * (x_s - x_hat)

            return jax.lax.cond(i == last, lambda: x_hat, corrected)

        return jax.lax.fori_loop(0, self.steps, update, z)

    def _add_churn(
        self, key: Keys, i: Array, z: Video, process: Process, logsnr: LogSNR
    ) -> tuple[Video, LogSNR]:
        if self.churn == 0:
            return z, logsnr
        sigma = jnp.exp(-logsnr / 2)
        inside = sigma >= self.churn_min
        if self.churn_max is not None:
            inside &= sigma <= self.churn_max
        rise = jnp.where(inside, min(self.churn / self.steps, math.sqrt(2) - 1), 0)
        noisier = logsnr - 2 * jnp.log1p(rise)
        mean, std = process.transition(z, logsnr, noisier)
        noise = normal(fold_in(key, i), z.shape, z.dtype)
        return mean + self.churn_noise * std * noise, noisier
