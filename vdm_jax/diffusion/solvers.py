"""Second-order samplers of the probability-flow ODE (protocol: `samplers.Sampler`)."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from vdm_jax.diffusion.grids import Grid, Linspace, Trailing
from vdm_jax.diffusion.keys import fold_in, normal
from vdm_jax.diffusion.process import Process
from vdm_jax.diffusion.step_sampler import Carry, StepContext, StepSampler
from vdm_jax.types import Keys, LogSNR, Video


@dataclass(frozen=True)
class DPMSolver(StepSampler):
    """DPM-Solver++(2M): a DDIM step with x_hat extrapolated from the last two.

    D = x_hat + (h / 2h') (x_hat - x_hat'),  z_s = (sigma_s / sigma_t) z_t - alpha_s expm1(-h) D,
    h the step in log(alpha / sigma), half the logsnr; primes are the previous step's.
    Lu et al. 2022 (DPM-Solver++), algorithm 2. The first update and the one that returns x_hat are
    of first order. `steps` calls of the denoiser.
    """

    steps: int
    grid: Grid = Trailing()

    def first_carry(self, z: Video) -> Carry:
        """(z, x_hat and h of the step before)."""
        return z, jnp.zeros_like(z), jnp.ones(())

    def step(self, i: Int[Array, ""], carry: Carry, context: StepContext) -> Carry:
        (z, x_before, h_before), logsnr = carry, context.logsnr
        x_hat = context.denoiser(z, logsnr[i])
        h = (logsnr[i + 1] - logsnr[i]) / 2
        direction = x_hat + jnp.where(i == 0, 0, h / (2 * h_before)) * (x_hat - x_before)
        z_s = context.process.ddim(direction, z, logsnr[i], logsnr[i + 1])
        return jnp.where(i == context.last, x_hat, z_s), x_hat, h


@dataclass(frozen=True)
class Heun(StepSampler):
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

    def step(self, i: Int[Array, ""], carry: Carry, context: StepContext) -> Carry:
        process, denoiser, logsnr_s = context.process, context.denoiser, context.logsnr[i + 1]
        z, logsnr_t = self._add_churn(context.key, i, carry[0], process, context.logsnr[i])
        x_hat = denoiser(z, logsnr_t)

        def corrected():
            z_s = process.ddim(x_hat, z, logsnr_t, logsnr_s)
            x_s = denoiser(z_s, logsnr_s)
            # (d + d_s) / 2 differs from d by a multiple of x_hat - x_s. This form avoids the
            # division by alpha, which is tiny at the start.
            alpha_s, _ = process.alpha_sigma(logsnr_s)
            return z_s + alpha_s * jnp.expm1((logsnr_s - logsnr_t) / 2) / 2 * (x_s - x_hat)

        return (jax.lax.cond(i == context.last, lambda: x_hat, corrected),)

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
