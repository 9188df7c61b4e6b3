"""Known frames: the law of their noise, and the bias of replacement alone."""

from functools import partial

import counted
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from linear_gaussians import NODES, PROCESS, ar1, first_known, gaussian, moments, probed

from vdm_jax.diffusion import (
    DDIM,
    Ancestral,
    DPMSolver,
    DynamicThreshold,
    FixedNoise,
    ForwardProcessNoise,
    Heun,
    IndependentNoise,
    KnownPixels,
    PredictorCorrector,
    PseudoInverseGuidance,
    ReconstructionGuidance,
    Stochastic,
    reconstruction,
    replacement,
)

NOISES = (FixedNoise(), IndependentNoise(), ForwardProcessNoise())
pytestmark = pytest.mark.usefixtures("float64")


def noises(known_noise, logsnrs):
    """One pixel's noise at these levels, as coefficients of independent draws."""
    with probed(1, 1):
        draw = jax.jit(lambda logsnr: known_noise(counted.key(0), logsnr, (1, 1, 1, 1, 2 + NODES)))
        return np.stack([np.ravel(draw(jnp.asarray(float(logsnr)))) for logsnr in logsnrs])


def test_forward_process_noise_has_the_joint_law_of_the_forward_process():
    logsnrs = np.array([-20.0, -19.99, -3.2, 0.0, 0.0043, 1.0, 19.7, 20.0])
    eps = noises(ForwardProcessNoise(), logsnrs)
    law = np.exp(-np.abs(np.subtract.outer(logsnrs, logsnrs)) / 2)
    np.testing.assert_allclose(eps @ eps.T, law, atol=1e-12)


def test_forward_process_noise_correlates_as_the_transition_says():
    """q(z_t | z_s) has mean (alpha_t / alpha_s) z_s: the coefficient of eps_s in eps_t."""
    s, t = jnp.asarray(1.3), jnp.asarray(-2.1)
    (alpha_s, sigma_s), (alpha_t, sigma_t) = PROCESS.alpha_sigma(s), PROCESS.alpha_sigma(t)
    at_s, at_t = noises(ForwardProcessNoise(), [s, t])
    np.testing.assert_allclose(at_s @ at_t, alpha_t / alpha_s * sigma_s / sigma_t, rtol=1e-12)


@pytest.mark.parametrize("known_noise", NOISES, ids=str)
def test_noise_is_standard_normal_and_reproducible(known_noise):
    keys, shape = jax.random.split(jax.random.key(0), 2), (2, 4, 8, 8, 3)
    draw = jax.jit(lambda keys, logsnr: known_noise(keys, logsnr, shape))
    one, again = draw(keys, jnp.asarray(0.7)), draw(keys, jnp.asarray(0.7))
    np.testing.assert_array_equal(one, again)
    assert (
        abs(one.mean()) < 5 / np.sqrt(one.size) and abs(one.var() - 1) < 5 * (2 / one.size) ** 0.5
    )
    np.testing.assert_array_equal(draw(keys[::-1], jnp.asarray(0.7))[1], one[0])


def test_noises_of_two_levels_have_the_stated_correlation():
    keys, shape = jax.random.split(jax.random.key(0), 64), (64, 1, 4, 4, 1)
    for known_noise, law in (
        (FixedNoise(), 1.0),
        (IndependentNoise(), 0.0),
        (ForwardProcessNoise(), np.exp(-0.5)),
    ):
        draw = jax.jit(lambda logsnr, known_noise=known_noise: known_noise(keys, logsnr, shape))
        correlation = np.corrcoef(
            np.ravel(draw(jnp.asarray(2.0))), np.ravel(draw(jnp.asarray(3.0)))
        )
        assert correlation[0, 1] == pytest.approx(law, abs=5 / np.sqrt(1024))


@pytest.mark.parametrize(
    ("sampler", "known_noise", "mean", "variance"),
    [
        (Ancestral(64), ForwardProcessNoise(), 0.6164, 0.3375),
        (Ancestral(256), ForwardProcessNoise(), 0.6242, 0.3513),
        (Ancestral(64), IndependentNoise(), 0.6164, 0.2918),
        (Ancestral(256), IndependentNoise(), 0.6242, 0.3052),
        (Ancestral(1024), IndependentNoise(), 0.6261, 0.3093),
        (PredictorCorrector(64), IndependentNoise(), 0.6829, None),
        (PredictorCorrector(256), IndependentNoise(), 0.7730, None),
        (PredictorCorrector(1024), IndependentNoise(), 0.8446, None),
    ],
    ids=str,
)
def test_replacement_is_biased_and_more_steps_do_not_help(sampler, known_noise, mean, variance):
    """Two frames of correlation .9, the first known to be 1: exact are .9 and .19."""
    means, variances = moments(sampler, 1, None, known_noise, ar1(2, 0.9))
    assert means[1] == pytest.approx(mean, abs=6e-5)
    assert variance is None or variances[1] == pytest.approx(variance, abs=6e-5)
    assert (means[0], variances[0]) == (1, 0)


@pytest.mark.parametrize(
    ("rho", "steps", "mean"), [(0.5, 64, 0.2630), (0.5, 256, 0.2667), (0.5, 1024, 0.2676)]
)
def test_bias_at_weaker_correlation(rho, steps, mean):
    means, _ = moments(Ancestral(steps), 1, None, IndependentNoise(), ar1(2, rho))
    assert means[1] == pytest.approx(mean, abs=6e-5)


def test_sixteen_frames_half_of_them_known():
    means, _ = moments(Ancestral(256), 8, None, IndependentNoise(), ar1(16, 0.9))
    np.testing.assert_allclose(means[8:12], [0.6814, 0.5197, 0.4137, 0.3378], atol=6e-5)


SAMPLERS = (
    DDIM(3),
    Ancestral(3, 0.3),
    PredictorCorrector(2),
    Stochastic(3),
    DPMSolver(3),
    Heun(2),
)


def clip(seed=0):
    x = np.random.default_rng(seed).uniform(-1, 1, (2, 4, 2, 2, 3))
    return KnownPixels(
        jnp.asarray(x), jnp.asarray([[True, False, True, False], [True] * 3 + [False]])
    )


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: type(sampler).__name__)
def test_known_frames_come_back_bit_for_bit_from_any_sampler(sampler):
    known = clip()
    denoiser = reconstruction(
        gaussian(ar1(4, 0.8), 1), [known], ReconstructionGuidance(2.0), PROCESS
    )
    denoiser = replacement(denoiser, known, ForwardProcessNoise(), jax.random.key(1), PROCESS)
    sample = jax.jit(partial(sampler, denoiser=denoiser, process=PROCESS))
    z = jax.random.normal(jax.random.key(0), known.x.shape)
    x = sample(jax.random.key(2), z=z)
    np.testing.assert_array_equal(known(x), known.value)
    assert np.all(np.isfinite(x)) and not np.allclose(x, known.value)
    np.testing.assert_array_equal(sample(jax.random.key(2), z=known.put(z)), x)


def test_ddim_with_fixed_noise_is_ddim_from_the_noisy_frames():
    """DDIM's own steps towards x^a leave eps^a unchanged, as `FixedNoise` does."""
    known = clip()
    key, logsnr = jax.random.key(1), PROCESS.schedule(jnp.ones(()))
    z = jax.random.normal(jax.random.key(0), known.x.shape)
    noisy = PROCESS.diffuse(known.x, logsnr, FixedNoise()(key, logsnr, z.shape))
    plain = gaussian(ar1(4, 0.8), 1)
    own = DDIM(5)(
        key, lambda z, at: known.put(plain(z, at)), KnownPixels(noisy, known.mask).put(z), PROCESS
    )
    replaced = DDIM(5)(key, replacement(plain, known, FixedNoise(), key, PROCESS), z, PROCESS)
    np.testing.assert_allclose(replaced, own, atol=1e-12)


@pytest.mark.parametrize(
    "correction", [ReconstructionGuidance(3.0), PseudoInverseGuidance(2)], ids=str
)
def test_batch_elements_are_independent(correction, threshold=DynamicThreshold()):
    """A batch element sampled alone, with its own key, is the same as in any batch."""
    known, keys = clip(), jax.random.split(jax.random.key(1), 2)

    def sample(rows):
        some = KnownPixels(known.x[rows], known.mask[rows])
        denoiser = reconstruction(gaussian(ar1(4, 0.8), 1), [some], correction, PROCESS)
        denoiser = threshold(
            replacement(denoiser, some, ForwardProcessNoise(), keys[rows], PROCESS)
        )
        z = jax.random.normal(jax.random.key(0), known.x.shape)[rows]
        return jax.jit(partial(Ancestral(2), denoiser=denoiser, process=PROCESS))(keys[rows], z=z)

    np.testing.assert_allclose(sample(slice(0, 2))[1:], sample(slice(1, 2)), atol=1e-12)


def test_bad_masks_and_levels_are_named():
    with pytest.raises(ValueError, match=r"mask has shape \(4,\).*\[b f\]"):
        KnownPixels(clip().x, jnp.ones(4, bool)).put(clip().x)
    replaced = replacement(
        gaussian(ar1(4, 0.8), 1), clip(), FixedNoise(), jax.random.key(0), PROCESS
    )
    with pytest.raises(ValueError, match=r"logsnr of shape \(\), not \(2,\)"):
        replaced(clip().x, jnp.zeros(2))


def test_first_known_masks_the_first_frames():
    np.testing.assert_array_equal(np.ravel(first_known(2, 3).value), [1, 1, 0])
