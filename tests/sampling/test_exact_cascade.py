"""A super-resolution stage with an exact denoiser has the distribution of the data.

Two pixels of unit variance with correlation .9; the low-resolution video is their mean y. Given
c = alpha_a y + sigma_a n, E[x | z, c] is linear, and so is every deterministic sampler: so its
moments are computed, not estimated.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdm_jax import diffusion
from vdm_jax.models import Conditioning
from vdm_jax.sampling import Generator
from vdm_jax.training import LowRes

RHO, SNR = 0.9, 3.0
COVARIANCE = np.array([[1, RHO], [RHO, 1]])
MEAN = np.array([0.5, 0.5])
VARIANCE = MEAN @ COVARIANCE @ MEAN  # of y


@dataclasses.dataclass(frozen=True)
class Exact:
    """E[x | z_t, c] as a task. The two pixels are the rows of a 2x2 frame of equal columns."""

    lowres: LowRes = LowRes(size=2)
    process: diffusion.Process = diffusion.Process(diffusion.Cosine(-20.0, 20.0))

    def denoiser(self, params, frozen, cond):
        # One noise level for the whole batch.
        alpha_a, sigma_a = self.lowres.augmentation.alpha_sigma(cond.lowres_logsnr[0])
        total = alpha_a**2 * VARIANCE + sigma_a**2
        gain = jnp.asarray(COVARIANCE @ MEAN) * alpha_a / total
        spread = jnp.asarray(COVARIANCE) - jnp.outer(gain, gain) * total
        prior = gain.reshape(1, 1, 2, 1, 1) * cond.lowres

        def denoiser(z, logsnr):
            alpha, sigma = self.process.alpha_sigma(logsnr)
            k = alpha * spread @ jnp.linalg.inv(alpha**2 * spread + sigma**2 * jnp.eye(2))
            return prior + jnp.einsum("h g, b f g w c -> b f h w c", k, z - alpha * prior)

        return denoiser


def response(steps: int) -> np.ndarray:
    """[2 3]: the samples of DDIM for z = (1, 0), for z = (0, 1), and for c = 1, as columns."""
    task = Exact()
    z = np.zeros((3, 1, 2, 1, 1), np.float32)
    z[0, 0, 0], z[1, 0, 1] = 1, 1
    c = np.array([0, 0, 1], np.float32).reshape(3, 1, 1, 1, 1)
    cond = Conditioning(lowres=jnp.asarray(c), lowres_logsnr=jnp.full(3, jnp.log(SNR)))
    sampler = diffusion.DDIM(steps)

    @jax.jit
    def sample(z):
        return sampler(jax.random.key(0), task.denoiser({}, {}, cond), z, task.process)

    x = sample(z)
    return np.asarray(x, np.float64)[:, 0, :, 0, 0].T


@pytest.mark.parametrize(
    ("steps", "variance", "covariance", "correlation"),
    [(64, 0.98680, 0.89329, 0.74414), (1024, 0.99911, 0.89953, 0.74050)],
)
def test_samples_have_the_moments_of_the_data(steps, variance, covariance, correlation):
    x = response(steps)
    alpha2 = SNR / (1 + SNR)
    variance_c = alpha2 * VARIANCE + (1 - alpha2)
    moments = x[:, :2] @ x[:, :2].T + variance_c * np.outer(x[:, 2], x[:, 2])
    with_y = np.sqrt(alpha2) * VARIANCE * (MEAN @ x[:, 2])
    np.testing.assert_allclose(moments[0, 0], variance, atol=3e-4)
    np.testing.assert_allclose(moments[0, 1], covariance, atol=3e-4)
    ratio = with_y / np.sqrt(VARIANCE * (MEAN @ moments @ MEAN))
    np.testing.assert_allclose(ratio, correlation, atol=3e-4)
    np.testing.assert_allclose(with_y / VARIANCE, 0.74024, atol=3e-4)  # exact for any steps


@pytest.mark.parametrize(("snr", "correlation"), [(3.0, 0.740260), (5.0, 0.826087)])
def test_samples_have_the_correlation_of_the_augmentation(snr, correlation):
    """For `Generator.upsample`, within 5 standard errors of 20,000 samples."""
    count = 20_000
    x = np.random.default_rng(0).multivariate_normal(np.zeros(2), COVARIANCE, count)
    pixels = jnp.asarray(np.repeat(x.reshape(count, 1, 2, 1, 1), 2, axis=3), jnp.float32)
    task = Exact()
    low = task.lowres.downsample(pixels)
    generator = Generator(diffusion.DDIM(64), threshold=None, lowres_snr=snr)
    keys = jax.random.split(jax.random.key(0), count)
    samples = jax.jit(lambda low: generator.upsample(task, {}, {}, keys, Conditioning(), low))(low)
    column = np.asarray(samples)[:, 0, :, 0, 0].mean(axis=1)  # each column has its own noise
    result = np.corrcoef(np.asarray(low).ravel(), column)[0, 1]
    assert abs(result - correlation) < 5 * (1 - correlation**2) / np.sqrt(count) + 5e-3


def test_without_augmentation_samples_average_to_the_low_resolution_video():
    x = np.random.default_rng(0).multivariate_normal(np.zeros(2), COVARIANCE, 64)
    low = jnp.asarray(x.mean(axis=1).reshape(-1, 1, 1, 1, 1), jnp.float32)
    keys = jax.random.split(jax.random.key(0), 64)
    generator = Generator(diffusion.DDIM(64), threshold=None)
    samples = jax.jit(lambda low: generator.upsample(Exact(), {}, {}, keys, Conditioning(), low))(
        low
    )
    np.testing.assert_allclose(samples.mean(axis=(2, 3)), low[:, :, 0, 0], atol=2e-3)
