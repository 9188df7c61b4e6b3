"""Reconstruction guidance on Gaussian data, with a known posterior."""

import counted
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from linear_gaussians import (
    PROCESS,
    ar1,
    first_known,
    frames,
    gaussian,
    moments,
    probed,
)

from vdm_jax.diffusion import (
    Ancestral,
    Cosine,
    FiniteDifferenceGuidance,
    FixedNoise,
    ForwardProcessNoise,
    IndependentNoise,
    KnownPixels,
    LowResolution,
    PredictorCorrector,
    Process,
    PseudoInverseGuidance,
    ReconstructionGuidance,
    VarianceExploding,
    WhiteDataWeight,
    reconstruction,
    replacement,
)

pytestmark = pytest.mark.usefixtures("float64")
ZERO = 0.0


def guided(correction, z, logsnr=ZERO, covariance=None, process=PROCESS):
    """Guided x_hat of two frames of correlation .9; the first is known to be 1."""
    known = first_known(1, 2)
    denoiser = gaussian(ar1(2, 0.9) if covariance is None else covariance, 1, process)
    denoiser = jax.jit(reconstruction(denoiser, [known], correction, process))
    return np.ravel(denoiser(frames(z), jnp.asarray(logsnr)))


def test_the_joint_denoiser_by_hand():
    gain = np.stack([guided(ReconstructionGuidance(0.0), z) for z in np.eye(2)])
    np.testing.assert_allclose(
        gain, [[0.52755929, 0.39899442], [0.39899442, 0.52755929]], atol=5e-9
    )
    np.testing.assert_allclose(
        guided(ReconstructionGuidance(0.0), [0.2, -0.4]), [-0.05408591, -0.13122483], atol=5e-9
    )


def test_weight_one_by_hand():
    assert guided(ReconstructionGuidance(1.0), [0.2, -0.4])[1] == pytest.approx(
        0.16616618, abs=5e-9
    )


@pytest.mark.parametrize(
    "correction", [ReconstructionGuidance(2.68067227), PseudoInverseGuidance(1)], ids=str
)
def test_the_exact_weight_gives_the_exact_conditional_mean(correction):
    assert guided(correction, [0.2, -0.4])[1] == pytest.approx(0.66598300, abs=2e-8)


@pytest.mark.parametrize("marginal", [PROCESS.marginal, VarianceExploding()], ids=str)
@pytest.mark.parametrize("logsnr", [-20.0, -4.0, 0.0, 6.0])
def test_pseudo_inverse_is_exact_at_every_level(logsnr, marginal):
    """E[x^b | z^b, x^a], which does not depend on z^a."""
    process, covariance = Process(Cosine(), marginal), ar1(4, 0.9)
    known = first_known(2, 4)
    denoiser = gaussian(covariance, 1, process)
    denoiser = jax.jit(reconstruction(denoiser, [known], PseudoInverseGuidance(4), process))
    z_b = np.array([0.3, -1.1])
    alpha, sigma = (float(a) for a in process.alpha_sigma(jnp.asarray(logsnr)))
    observed = np.block([[np.eye(2), np.zeros((2, 2))], [np.zeros((2, 2)), alpha * np.eye(2)]])
    noise = np.diag([0, 0, sigma**2, sigma**2])
    gain = covariance @ observed.T @ np.linalg.inv(observed @ covariance @ observed.T + noise)
    exact = gain @ np.concatenate([[1, 1], z_b])
    for z_a in ([0.0, 0.0], [5.0, -3.0]):
        x = np.ravel(denoiser(frames([*z_a, *z_b]), jnp.asarray(logsnr)))
        np.testing.assert_allclose(x[2:], exact[2:], atol=1e-9)


def test_pseudo_inverse_with_noisy_frames_is_exact_too():
    """y = x^a + N(0, .04): a second noisy observation of x^a beside z^a."""
    covariance, logsnr = ar1(2, 0.9), 1.0
    alpha, sigma = (float(a) for a in PROCESS.alpha_sigma(jnp.asarray(logsnr)))
    z = np.array([0.2, -0.4])
    observed = np.array([[alpha, 0], [0, alpha], [1, 0]])
    noise = np.diag([sigma**2, sigma**2, 0.04])
    gain = covariance @ observed.T @ np.linalg.inv(observed @ covariance @ observed.T + noise)
    x = guided(PseudoInverseGuidance(1, noise=0.2), z, logsnr)
    np.testing.assert_allclose(x, gain @ [*z, 1], atol=1e-12)


@pytest.mark.parametrize("logsnr", [-8.0, 0.0, 5.0])
def test_white_data_weight_is_exact_for_white_frames(logsnr):
    """Independent frames of variance s^2: eq. 7 gives x^a itself."""
    known, variance = first_known(2, 2), 0.3
    denoiser = gaussian(variance * np.eye(2), 1)
    correction = ReconstructionGuidance(WhiteDataWeight(variance, 1e9))
    denoiser = jax.jit(reconstruction(denoiser, [known], correction, PROCESS))
    np.testing.assert_allclose(
        np.ravel(denoiser(frames([0.7, -2.0]), jnp.asarray(logsnr))), 1.0, atol=1e-9
    )


@pytest.mark.parametrize(
    ("weight", "steps", "mean", "variance"),
    [
        (1.0, 64, 0.7523, 0.2196),
        (2.0, 64, 0.8515, 0.1621),
        (2.0, 256, 0.8539, 0.1764),
        (5.0, 64, 1.0144, 0.1457),
        (9.0, 64, 1.0862, 0.2200),
        (50.0, 64, 1.1111, 0.8291),
    ],
)
def test_constant_weights(weight, steps, mean, variance):
    """Exact are .9 and .19; the weight with the exact mean lies between 2 and 5 here."""
    means, variances = moments(
        Ancestral(steps), 1, ReconstructionGuidance(weight), ForwardProcessNoise(), ar1(2, 0.9)
    )
    assert means[1] == pytest.approx(mean, abs=6e-5)
    assert variances[1] == pytest.approx(variance, abs=6e-5)


@pytest.mark.parametrize(
    ("weight", "means"),
    [
        (1.0, [0.7797, 0.6351, 0.5287, 0.4464]),
        (2.0, [0.8537, 0.7277, 0.6245, 0.5393]),
        (5.0, [0.9799, 0.9092, 0.8275, 0.7462]),
    ],
)
def test_sixteen_frames_half_of_them_known(weight, means):
    mean, _ = moments(
        Ancestral(256), 8, ReconstructionGuidance(weight), IndependentNoise(), ar1(16, 0.9)
    )
    np.testing.assert_allclose(mean[8:12], means, atol=6e-5)


def test_pseudo_inverse_of_sixteen_frames_is_exact():
    means, variances = moments(
        Ancestral(256), 8, PseudoInverseGuidance(9), FixedNoise(), ar1(16, 0.9), width=8
    )
    np.testing.assert_allclose(means[8:12], [0.9, 0.81, 0.729, 0.6561], atol=1e-6)
    np.testing.assert_allclose(variances[8:12], [0.1843, 0.3358, 0.4586, 0.5580], atol=6e-5)


@pytest.mark.parametrize(("steps", "variance"), [(64, 0.1688), (256, 0.1838), (1024, 0.1884)])
def test_pseudo_inverse_has_the_exact_mean_for_every_number_of_steps(steps, variance):
    means, variances = moments(
        Ancestral(steps), 1, PseudoInverseGuidance(1), FixedNoise(), ar1(2, 0.9)
    )
    assert means[1] == pytest.approx(0.9, abs=1e-8)
    assert variances[1] == pytest.approx(variance, abs=6e-5)


@pytest.mark.parametrize(
    ("correction", "steps", "mean", "variance"),
    [
        (ReconstructionGuidance(1.0), 64, 0.8064, None),
        (ReconstructionGuidance(1.0), 256, 0.8609, None),
        (ReconstructionGuidance(2.0), 64, 0.8905, None),
        (ReconstructionGuidance(2.0), 256, 0.9164, None),
        (PseudoInverseGuidance(1), 64, 0.9, 0.1721),
        (PseudoInverseGuidance(1), 256, 0.9, 0.1863),
    ],
    ids=str,
)
def test_with_a_langevin_step_after_each_prediction(correction, steps, mean, variance):
    sampler = PredictorCorrector(steps, delta=0.1)
    means, variances = moments(sampler, 1, correction, IndependentNoise(), ar1(2, 0.9))
    assert means[1] == pytest.approx(mean, abs=6e-5)
    assert variance is None or variances[1] == pytest.approx(variance, abs=6e-5)


@pytest.mark.parametrize(("weight", "mean"), [(1.0, 0.3466), (2.0, 0.4264)])
def test_weaker_correlation_needs_another_weight(weight, mean):
    means, _ = moments(
        Ancestral(64), 1, ReconstructionGuidance(weight), IndependentNoise(), ar1(2, 0.5)
    )
    assert means[1] == pytest.approx(mean, abs=6e-5)
    means, _ = moments(Ancestral(64), 1, PseudoInverseGuidance(1), IndependentNoise(), ar1(2, 0.5))
    assert means[1] == pytest.approx(0.5, abs=1e-8)


def mean_of_two(channels=1):
    """`LowResolution`: the mean of a frame's two pixels is 1."""
    return LowResolution(frames([1.0], channels), jnp.ones((1, 1), bool))


def pixels(values):
    return jnp.asarray(values).reshape(1, 1, 1, 2, 1)


def test_super_resolution_by_hand():
    denoiser = gaussian(ar1(2, 0.9), 3)
    denoiser = jax.jit(
        reconstruction(denoiser, [mean_of_two()], ReconstructionGuidance(1.0), PROCESS)
    )
    x = denoiser(pixels([0.2, -0.4]), jnp.asarray(0.0))
    np.testing.assert_allclose(np.ravel(x), [0.30385292, 0.22671400], atol=5e-9)


def super_resolution(correction, steps=256):
    """Mean and variance of the two pixels' mean, and the variance of one pixel."""
    channels = 2 + 2 * (steps + 1)
    with probed(steps, 2):
        z = PROCESS.prior_sample(
            jax.random.normal(counted.key(steps), (1, 1, 1, 2, channels), float)
        )

        def run(z):
            denoiser = gaussian(ar1(2, 0.9), 3)
            denoiser = reconstruction(denoiser, [mean_of_two(channels)], correction, PROCESS)
            return Ancestral(steps)(counted.key(0), denoiser, z, PROCESS)

        x = np.asarray(jax.jit(run)(z))[0, 0, 0]
    middle = x.mean(axis=0)
    return middle[0], np.square(middle[1:]).sum(), np.square(x[0, 1:]).sum()


@pytest.mark.parametrize(
    ("weight", "mean", "variance"),
    [
        (0.0, 0.0, None),
        (0.5, 0.9123, None),
        (1.0, 0.9941, 1.1e-4),
        (2.0, 1.0, 7.7e-15),
        (4.0, 1.0, 2.5e-5),
        (8.0, 1.0, 9.6e-3),
    ],
)
def test_super_resolution(weight, mean, variance):
    """Mean 1 and variance 0 are exact; the exact weight tends to 2, the pixels per mean."""
    middle, spread, _ = super_resolution(ReconstructionGuidance(weight))
    assert middle == pytest.approx(mean, abs=6e-5)
    assert variance is None or spread == pytest.approx(variance, rel=0.05)


def test_super_resolution_gives_pixels_the_right_variance():
    assert super_resolution(ReconstructionGuidance(2.0))[2] == pytest.approx(0.0479, abs=6e-5)
    mean, spread, variance = super_resolution(PseudoInverseGuidance(1))
    assert mean == pytest.approx(1, abs=1e-9) and spread < 1e-12
    assert variance == pytest.approx(0.05, rel=0.05)


def test_large_weights_are_unstable_at_few_steps():
    assert super_resolution(ReconstructionGuidance(8.0), 64)[1] == pytest.approx(0.153, abs=6e-4)


def test_frames_and_a_small_video_together_are_exact():
    """The first frame is known, and the mean of the second frame's two pixels."""
    covariance = np.kron(ar1(2, 0.8), ar1(2, 0.5))
    z = np.array([0.3, -0.2, 0.9, -1.4])
    rows = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0.5, 0.5]])
    alpha, sigma = (float(a) for a in PROCESS.alpha_sigma(jnp.asarray(0.4)))
    observed = np.concatenate([alpha * np.eye(4), rows])
    noise = np.diag([sigma**2] * 4 + [0] * 3)
    gain = covariance @ observed.T @ np.linalg.inv(observed @ covariance @ observed.T + noise)
    exact = gain @ np.concatenate([z, [1.0, -0.5, 0.2]])

    def denoiser(z, logsnr):
        flat = z.reshape(1, 1, 1, 4, 1)
        return gaussian(covariance, 3)(flat, logsnr).reshape(z.shape)

    known = KnownPixels(
        jnp.asarray([1.0, -0.5, 9.0, 9.0]).reshape(1, 2, 1, 2, 1), jnp.asarray([[True, False]])
    )
    small = LowResolution(frames([7.0, 0.2]), jnp.asarray([[False, True]]))
    both = jax.jit(reconstruction(denoiser, [known, small], PseudoInverseGuidance(3), PROCESS))
    x = both(jnp.asarray(z).reshape(1, 2, 1, 2, 1), jnp.asarray(0.4))
    np.testing.assert_allclose(np.ravel(x), exact, atol=1e-9)


def test_downsampling_preserves_constants_and_means():
    x = jax.random.uniform(jax.random.key(0), (2, 3, 8, 8, 3))
    small = LowResolution(jnp.zeros((2, 3, 2, 2, 3)), jnp.ones((2, 3), bool))
    np.testing.assert_allclose(small(jnp.ones_like(x)), 1.0, atol=1e-12)
    assert float(jnp.mean(small(x))) == pytest.approx(float(jnp.mean(x)), abs=0.02)
    nothing = LowResolution(small.x, jnp.zeros((2, 3), bool))
    np.testing.assert_array_equal(nothing(x), 0)


def test_weight_zero_is_replacement():
    known, z = first_known(1, 2), frames([0.3, -0.4])
    plain = gaussian(ar1(2, 0.9), 1)
    none = reconstruction(plain, [known], ReconstructionGuidance(0.0), PROCESS)
    one, other = (
        replacement(d, known, FixedNoise(), jax.random.key(0), PROCESS)(z, jnp.zeros(()))
        for d in (plain, none)
    )
    np.testing.assert_array_equal(one, other)


def test_guidance_of_a_pixel_does_not_depend_on_the_number_of_pixels():
    """The loss is a sum of squares, not a mean."""
    denoiser = gaussian(ar1(2, 0.9), 1)

    def first(width):
        x = jnp.ones((1, 2, 1, width, 1))
        known = KnownPixels(x, jnp.asarray([[True, False]]))
        guided = jax.jit(reconstruction(denoiser, [known], ReconstructionGuidance(3.0), PROCESS))
        return guided(0.2 * x, jnp.zeros(()))[0, :, 0, 0]

    np.testing.assert_allclose(first(1), first(7), atol=1e-14)


@pytest.mark.parametrize(
    "correction", [ReconstructionGuidance(2.0), PseudoInverseGuidance(3)], ids=str
)
def test_one_forward_pass_for_any_number_of_vjps(correction):
    count = []

    @jax.custom_vjp
    def network(z):
        return z / 2

    def forward(z):
        jax.debug.callback(lambda: count.append(1))
        return z / 2, None

    network.defvjp(forward, lambda _, g: (g / 2,))
    known = first_known(1, 2)
    guided = reconstruction(lambda z, _: network(z), [known], correction, PROCESS)
    jax.block_until_ready(guided(frames([0.2, 0.1]), jnp.zeros(())))
    jax.effects_barrier()
    assert len(count) == 1


@pytest.mark.parametrize("step", [1.0, 0.1])
def test_the_finite_difference_is_exact_for_gaussian_data(step):
    difference, gradient = (
        guided(correction, [0.2, -0.4])
        for correction in (FiniteDifferenceGuidance(2.0, step), ReconstructionGuidance(2.0))
    )
    np.testing.assert_allclose(difference, gradient, atol=1e-12)
    small = [
        jax.jit(reconstruction(gaussian(ar1(2, 0.9), 3), [mean_of_two()], correction, PROCESS))
        for correction in (FiniteDifferenceGuidance(3.0, step), ReconstructionGuidance(3.0))
    ]
    difference, gradient = (d(pixels([0.2, -0.4]), jnp.asarray(0.0)) for d in small)
    np.testing.assert_allclose(difference, gradient, atol=1e-12)


def equal_frames(z, logsnr):
    """E[x | z] of videos whose frames are all -1 or all 1."""
    alpha, sigma = PROCESS.alpha_sigma(logsnr)
    return jnp.tanh(alpha / sigma**2 * z.sum(axis=1, keepdims=True)) * jnp.ones_like(z)


def test_a_small_finite_difference_is_the_gradient_for_any_data():
    """The Jacobian of a posterior mean is symmetric."""
    known = first_known(1, 3)
    difference, gradient = (
        jax.jit(reconstruction(equal_frames, [known], correction, PROCESS))(
            frames([0.3, -0.5, 0.1]), jnp.asarray(-1.0)
        )
        for correction in (FiniteDifferenceGuidance(2.0, 1e-6), ReconstructionGuidance(2.0))
    )
    np.testing.assert_allclose(difference, gradient, atol=1e-6)
    assert float(gradient[0, 1, 0, 0, 0]) > 0.5  # without guidance it is -.06


def test_the_finite_difference_has_no_backward_pass():
    @jax.custom_vjp
    def network(z):
        return jnp.tanh(z)

    network.defvjp(lambda z: (jnp.tanh(z), z), lambda z, g: 1 / 0)
    guided = reconstruction(
        lambda z, _: network(z), [first_known(1, 2)], FiniteDifferenceGuidance(2.0), PROCESS
    )
    count = str(jax.make_jaxpr(jax.jit(guided))(frames([0.2, 0.1]), jnp.zeros(()))).count("tanh")
    assert count == 2


def test_a_finite_difference_needs_a_step_above_zero():
    with pytest.raises(ValueError, match="step=0"):
        FiniteDifferenceGuidance(1.0, step=0)


def test_conjugate_gradients_need_an_iteration():
    with pytest.raises(ValueError, match="iterations=0"):
        PseudoInverseGuidance(0)
