"""Denoising error on Gaussian data, where the best denoiser and its error have closed forms."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from vdm_jax import diffusion
from vdm_jax.evaluation import DenoisingError
from vdm_jax.evaluation.baselines import Constant, Spectrum, Wiener
from vdm_jax.evaluation.denoising import denoising_errors

F, H, W = 3, 4, 5
DISTANCE = [np.minimum(np.arange(n), n - np.arange(n)) for n in (F, H, W)]
COVARIANCE = 0.06 * np.exp(  # by distance on the torus
    -1.2 * DISTANCE[0][:, None, None] - 0.8 * DISTANCE[1][:, None] - 0.5 * DISTANCE[2]
)
MEAN = np.linspace(-0.2, 0.2, F * H * W).reshape(F, H, W, 1)
PROCESS = diffusion.Process(
    diffusion.Cosine(-20.0, 20.0), diffusion.VariancePreserving(), diffusion.V()
)


def dense() -> np.ndarray:
    """The covariance matrix of all pixels of one clip."""
    rows = [
        np.roll(COVARIANCE, shift, axis=(0, 1, 2)).ravel() for shift in np.ndindex(COVARIANCE.shape)
    ]
    return np.stack(rows)


def draw(count: int, seed: int = 0) -> np.ndarray:
    white = np.random.default_rng(seed).normal(size=(count, F * H * W))
    return (MEAN + (white @ np.linalg.cholesky(dense()).T).reshape(count, F, H, W, 1)).astype("f4")


def exact(z, logsnr):
    """E[x | z] by the normal equations of the whole clip, one log-SNR per clip."""
    alpha, sigma = np.sqrt(1 / (1 + np.exp([-logsnr, logsnr])))
    covariance = jnp.asarray(dense(), z.dtype)

    def one(z, alpha, sigma):
        total = alpha**2 * covariance + sigma**2 * jnp.eye(len(covariance))
        centered = (z - alpha * MEAN).reshape(-1)
        return MEAN + alpha * (covariance @ jnp.linalg.solve(total, centered)).reshape(z.shape)

    return jax.vmap(one)(z, jnp.asarray(alpha, z.dtype), jnp.asarray(sigma, z.dtype))


def spectrum() -> Spectrum:
    """The exact spectrum, the Fourier transform of the covariance."""
    return Spectrum(MEAN, np.fft.fftn(COVARIANCE).real[..., None])


def test_the_wiener_filter_is_the_posterior_mean_of_a_stationary_gaussian():
    z = jnp.asarray(draw(4))
    logsnr = np.array([-6.0, -1.0, 2.0, 7.0], np.float32)
    result = Wiener(spectrum(), PROCESS)(z, jnp.asarray(logsnr))
    np.testing.assert_allclose(result, exact(z, logsnr), atol=2e-5)


@pytest.mark.parametrize("level", [-4.0, 0.0, 4.0])
def test_errors_equal_the_closed_forms(level):
    """Wiener filter: tr (C^-1 + SNR)^-1 / pixels. Constant: the variance."""
    count, snr = 4000, np.exp(level)
    denoisers = {"wiener": Wiener(spectrum(), PROCESS), "constant": Constant(spectrum())}
    x, logsnr = jnp.asarray(draw(count)), jnp.full(count, level)
    result = denoising_errors(jax.random.key(0), PROCESS, denoisers, x, logsnr)
    posterior = np.linalg.inv(np.linalg.inv(dense()) + snr * np.eye(F * H * W))
    for name, covariance in (("wiener", posterior), ("constant", dense())):
        expected = np.trace(covariance) / len(covariance)
        # The mean of n Gaussian squared norms has the variance 2 tr(C^2) / n.
        spread = np.sqrt(2 * np.trace(covariance @ covariance) / count) / len(covariance)
        assert abs(np.mean(result[name]) - expected) < 4 * spread, name


def test_the_fitted_spectrum_converges_to_the_true_one():
    fitted = Spectrum.of(draw(4000))
    np.testing.assert_allclose(fitted.mean, MEAN, atol=5 * np.sqrt(0.06 / 4000))
    # A power is a mean of squares: its relative error is at most sqrt(2 / n).
    np.testing.assert_allclose(fitted.power, spectrum().power, rtol=5 * np.sqrt(2 / 4000))


def test_power_is_unbiased_in_small_sets():
    white = np.random.default_rng(0).normal(size=(3000, 2, 1, 2, 2, 1))
    powers = [Spectrum.of(pair).power.mean() for pair in white]
    assert np.mean(powers) == pytest.approx(1, abs=4 * np.sqrt(2 / 12000))


def test_a_spectrum_needs_two_clips():
    with pytest.raises(ValueError, match="at least 2 clips, not 1"):
        Spectrum.of(draw(1))


@dataclass(frozen=True)
class Clips:
    """A source of quantized Gaussian clips."""

    frames, size = F, (H, W)

    def clips(self, split):
        videos = draw(800 if split == "train" else 120, seed=split == "train")
        quantized = np.clip(np.round((videos + 1) * 127.5), 0, 255).astype(np.uint8)
        return [
            {"video": video, "label": np.int32(i), "caption": f"clip {i}", "key": str(i)}
            for i, video in enumerate(quantized)
        ]


class Gaussian:
    """A model with the best possible denoiser."""

    process, data = PROCESS, Clips()

    def encode(self, captions, labels):
        assert [f"clip {label}" for label in labels] == list(captions)
        return np.asarray(labels)

    def denoiser(self, cond):
        wiener = Wiener(spectrum(), PROCESS)
        return Partial(lambda cond, z, logsnr: wiener(z, logsnr), jnp.asarray(cond))


def test_the_model_equals_the_filter_and_beats_the_constant_in_every_band():
    evaluation = DenoisingError(clips=120, train_clips=800, bands=4, low=-8, high=8, batch=50)
    report = evaluation(jax.random.key(0), Gaussian())
    assert evaluation.name == "denoising"
    assert {name: list(bands) for name, bands in report.items()} == {
        name: ["-6", "-2", "2", "6"] for name in ("model", "wiener", "constant")
    }
    for band, error in report["model"].items():
        assert error == pytest.approx(report["wiener"][band], rel=0.03)
        assert error < report["constant"][band]
    assert report["constant"]["6"] == pytest.approx(0.06, rel=0.1)
    assert report["model"]["6"] < report["model"]["2"] < report["model"]["-2"]


def test_a_plain_function_works_as_a_denoiser():
    class Plain(Gaussian):
        def denoiser(self, cond):
            return Wiener(spectrum(), PROCESS)

    evaluation = DenoisingError(clips=8, train_clips=8, bands=1)
    key = jax.random.key(0)
    plain, partial = evaluation(key, Plain()), evaluation(key, Gaussian())
    assert plain["model"]["0"] == pytest.approx(partial["model"]["0"], rel=1e-5)


def test_log_snrs_cover_the_range_evenly():
    levels = DenoisingError(bands=4, low=-8, high=8).logsnrs(5)
    assert levels.shape == (4, 5)
    np.testing.assert_allclose(np.diff(levels.ravel()), 16 / 20)
    np.testing.assert_allclose(levels.mean(axis=1), [-6, -2, 2, 6])
