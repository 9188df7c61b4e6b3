"""Data with known exact denoisers and probability flows, and a schedule to test them on."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import ndtr, ndtri

from vdm_jax import diffusion

KEY = jax.random.key(0, impl="unsafe_rbg")  # compiles faster than threefry


@dataclass(frozen=True)
class EvenLogSNR:
    """logsnr linear in t, from `last` at t = 0 to `first` at t = 1."""

    first: float = -6.0
    last: float = 6.0

    def __call__(self, t):
        return self.last + (self.first - self.last) * t

    def inverse(self, logsnr):
        return (logsnr - self.last) / (self.first - self.last)


def run(sampler, denoiser, z, process, **times):
    """Samples in one compiled program."""
    return jax.jit(lambda z: sampler(KEY, denoiser, z, process, **times))(z)


def video(values):
    """A clip of one pixel with these values as channels."""
    values = jnp.asarray(values, jnp.zeros(()).dtype)
    return values.reshape(1, 1, 1, 1, -1)


def basis(size):
    """e_0 as the first z; the other channels are for the draws (see `basis_noise`)."""
    return video(np.eye(1, size)[0])


def spread(process, marginal_variance, logsnr):
    """Standard deviation of z_t for data of the given variance."""
    alpha, sigma = process.alpha_sigma(jnp.asarray(logsnr, jnp.zeros(()).dtype))
    return jnp.sqrt(alpha**2 * marginal_variance + sigma**2)


def gaussian(process, mean, variance):
    """E[x | z] for x ~ N(mean, variance); both may vary by channel."""

    def denoiser(z, logsnr):
        alpha, sigma = (diffusion.expand(a, z) for a in process.alpha_sigma(logsnr))
        slope = alpha * variance / (alpha**2 * variance + sigma**2)
        return mean + slope * (z - alpha * mean)

    return denoiser


def jump(process, data, logsnr_t, logsnr_s, z):
    """x_hat for which one DDIM step, t -> s, is the exact flow of N(0, data)."""
    alpha_t, sigma_t = process.alpha_sigma(logsnr_t)
    alpha_s, sigma_s = process.alpha_sigma(logsnr_s)
    gain = spread(process, data, logsnr_s) / spread(process, data, logsnr_t)
    return (gain - sigma_s / sigma_t) / (alpha_s - alpha_t * sigma_s / sigma_t) * z


def exact_student(process, data, steps):
    """x_hat for which one DDIM step of length 2 / steps is the exact flow of N(0, data)."""

    def denoiser(z, logsnr):
        t = process.schedule.inverse(logsnr)
        two = process.schedule(jnp.maximum(t - 2 / steps, 0))
        last = jnp.sqrt(data) / spread(process, data, logsnr) * z
        return jnp.where(t < 1.5 / steps, last, jump(process, data, logsnr, two, z))

    return denoiser


def two_points(process):
    """E[x | z] for x = -1 or 1, each with probability 1/2."""

    def denoiser(z, logsnr):
        alpha, sigma = (diffusion.expand(a, z) for a in process.alpha_sigma(logsnr))
        return jnp.tanh(alpha * z / sigma**2)

    return denoiser


MEANS, VARIANCE = (-2.0, 2.0), 0.25


def mixture(process):
    """E[x | z] for x ~ N(-2, 1/4) / 2 + N(2, 1/4) / 2."""

    def denoiser(z, logsnr):
        alpha, sigma = (diffusion.expand(a, z) for a in process.alpha_sigma(logsnr))
        total = alpha**2 * VARIANCE + sigma**2
        log_weights = jnp.stack([-((z - alpha * m) ** 2) / (2 * total) for m in MEANS])
        means = jnp.stack([m + alpha * VARIANCE / total * (z - alpha * m) for m in MEANS])
        return jnp.sum(jax.nn.softmax(log_weights, axis=0) * means, axis=0)

    return denoiser


def mixture_quantiles(probability):
    """The inverse distribution function of the mixture, by bisection."""
    low, high = np.full_like(probability, -12), np.full_like(probability, 12)
    for _ in range(80):
        middle = (low + high) / 2
        below = (
            sum(ndtr((middle - m) / np.sqrt(VARIANCE)) for m in MEANS) / len(MEANS) < probability
        )
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def wasserstein(sampler, process, count=4000):
    """W2 between the exact mixture and a deterministic sampler's map of `count` quantiles."""
    probability = (np.arange(count) + 0.5) / count
    z = process.prior_sample(video(ndtri(probability)))
    out = np.sort(np.ravel(run(sampler, mixture(process), z, process)))
    return np.sqrt(np.mean((out - mixture_quantiles(probability)) ** 2))
