"""A diffusion process: schedule, marginal and parameterization, and the Gaussians they define."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float

from vdm_jax.diffusion.marginals import Marginal, VariancePreserving, expand
from vdm_jax.diffusion.parameterizations import Parameterization, V
from vdm_jax.diffusion.schedules import Schedule
from vdm_jax.types import LogSNR, Video

Std = Float[Array, "..."]
"""Standard deviation of every pixel, broadcastable against the video it belongs to."""


@dataclass(frozen=True)
class Process:
    """q(z_t | x) = N(alpha_t x, sigma_t^2 I), and x from a network's output.

    Every logsnr is one value, one per batch element [b], or one per frame [b f]. Below, s is closer
    to data than t: logsnr_s > logsnr_t, and r = exp(logsnr_t - logsnr_s) lies in (0, 1).

    schedule: t to logsnr.
    marginal: logsnr to alpha and sigma.
    parameterization: the network's output to x.
    """

    schedule: Schedule
    marginal: Marginal = VariancePreserving()
    parameterization: Parameterization = V()

    def alpha_sigma(self, logsnr: LogSNR) -> tuple[LogSNR, LogSNR]:
        """(alpha, sigma), each shaped like `logsnr`."""
        return self.marginal.alpha_sigma(logsnr)

    def prior_sample(self, eps: Video) -> Video:
        """z_1 = sigma_1 eps, the start of sampling. eps: noise of unit variance."""
        return self.alpha_sigma(self.schedule(jnp.ones(())))[1] * eps

    def diffuse(self, x: Video, logsnr: LogSNR, eps: Video) -> Video:
        """z_t = alpha_t x + sigma_t eps. Ho et al. 2022, section 2."""
        alpha, sigma = self._alpha_sigma_like(logsnr, x)
        return alpha * x + sigma * eps

    def x(self, output: Video, z: Video, logsnr: LogSNR) -> Video:
        """x_hat of a network's output."""
        return self.parameterization.x(output, z, *self._alpha_sigma_like(logsnr, z))

    def output(self, x: Video, z: Video, logsnr: LogSNR) -> Video:
        """The network's target for x."""
        return self.parameterization.output(x, z, *self._alpha_sigma_like(logsnr, z))

    def eps(self, x_hat: Video, z: Video, logsnr: LogSNR) -> Video:
        """eps_hat = (z - alpha x_hat) / sigma."""
        alpha, sigma = self._alpha_sigma_like(logsnr, z)
        return (z - alpha * x_hat) / sigma

    def input(self, z: Video, logsnr: LogSNR) -> Video:
        """The network's input: z, scaled by c_in for EDM."""
        return self.parameterization.input(z, *self._alpha_sigma_like(logsnr, z))

    def gain(self, logsnr: LogSNR) -> LogSNR:
        """|dx / doutput|, shaped like `logsnr`: ||x - x_hat|| = gain ||output - target||."""
        return self.parameterization.gain(*self.alpha_sigma(logsnr))

    def transition(self, z_s: Video, logsnr_s: LogSNR, logsnr_t: LogSNR) -> tuple[Video, Std]:
        """Mean and standard deviation of q(z_t | z_s), the noising step.

        N((alpha_t / alpha_s) z_s, (1 - r) sigma_t^2 I). Ho et al. 2022, section 2.
        """
        alpha_s, _ = self._alpha_sigma_like(logsnr_s, z_s)
        alpha_t, sigma_t = self._alpha_sigma_like(logsnr_t, z_s)
        one_minus_r = -jnp.expm1(expand(logsnr_t, z_s) - expand(logsnr_s, z_s))
        return alpha_t / alpha_s * z_s, jnp.sqrt(one_minus_r) * sigma_t

    def posterior(
        self, x: Video, z_t: Video, logsnr_t: LogSNR, logsnr_s: LogSNR
    ) -> tuple[Video, Std]:
        """Mean and standard deviation of q(z_s | z_t, x), the denoising step given x.

        N(r (alpha_s / alpha_t) z_t + (1 - r) alpha_s x, (1 - r) sigma_s^2 I).
        Ho et al. 2022, section 2.
        """
        alpha_t, _ = self._alpha_sigma_like(logsnr_t, z_t)
        alpha_s, sigma_s = self._alpha_sigma_like(logsnr_s, z_t)
        log_r = expand(logsnr_t, z_t) - expand(logsnr_s, z_t)
        r, one_minus_r = jnp.exp(log_r), -jnp.expm1(log_r)
        mean = r * (alpha_s / alpha_t) * z_t + one_minus_r * alpha_s * x
        return mean, jnp.sqrt(one_minus_r) * sigma_s

    def ddim(self, x_hat: Video, z_t: Video, logsnr_t: LogSNR, logsnr_s: LogSNR) -> Video:
        """The deterministic step z_s = alpha_s x_hat + sigma_s eps_hat, in either direction.

        Song et al. 2021 (DDIM), eq. 12; for EDM and rectified flow it equals Euler's method.
        """
        alpha_s, sigma_s = self._alpha_sigma_like(logsnr_s, z_t)
        return alpha_s * x_hat + sigma_s * self.eps(x_hat, z_t, logsnr_t)

    def _alpha_sigma_like(self, logsnr: LogSNR, like: Video) -> tuple[Array, Array]:
        """(alpha, sigma), shaped to multiply `like`."""
        return self.alpha_sigma(expand(logsnr, like))
