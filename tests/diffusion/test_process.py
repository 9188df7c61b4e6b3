import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import EvenLogSNR, two_points, video

from vdm_jax import diffusion
from vdm_jax.diffusion import (
    Cosine,
    LinearInterpolant,
    Process,
    VarianceExploding,
    VariancePreserving,
)


def one():
    return jnp.ones((1,) * 5)


X_HATS = [0.01495351, 0.02469063, 0.04087139, 0.0681181]  # two points, at logsnr -6, ..., 1
X_HATS += [0.11559028, 0.20520791, 0.4002499, 0.81001101]
PAIRS = [(-19.0, -20.0), (-2.0, -7.0), (1.0, 0.9), (20.0, 3.0)]  # logsnr_s, logsnr_t


@pytest.mark.parametrize(("logsnr_s", "logsnr_t"), PAIRS)
def test_noising_in_two_steps_is_noising_in_one(logsnr_s, logsnr_t, marginal, float64):
    process = Process(Cosine(), marginal)
    alpha_s, sigma_s = marginal.alpha_sigma(jnp.asarray(logsnr_s))
    alpha_t, sigma_t = marginal.alpha_sigma(jnp.asarray(logsnr_t))
    mean, std = process.transition(one(), jnp.asarray(logsnr_s), jnp.asarray(logsnr_t))
    gain = mean.item()
    assert gain * alpha_s == pytest.approx(float(alpha_t), rel=1e-12)
    assert gain**2 * sigma_s**2 + std.item() ** 2 == pytest.approx(float(sigma_t**2), rel=1e-12)


@pytest.mark.parametrize(("logsnr_s", "logsnr_t"), PAIRS)
def test_posterior_is_bayes_rule(logsnr_s, logsnr_t, marginal, float64):
    process = Process(Cosine(), marginal)
    l_s, l_t = jnp.asarray(logsnr_s), jnp.asarray(logsnr_t)
    alpha_s, sigma_s = marginal.alpha_sigma(l_s)
    forward, noise = process.transition(one(), l_s, l_t)
    x, z_t = 0.6 * one(), -1.3 * one()
    mean, std = process.posterior(x, z_t, l_t, l_s)
    # q(z_s | z_t, x) is proportional to q(z_t | z_s) q(z_s | x): precisions add
    precision = forward**2 / noise**2 + 1 / sigma_s**2
    np.testing.assert_allclose(std**-2, precision, rtol=1e-9)
    weighted = forward * z_t / noise**2 + alpha_s * x / sigma_s**2
    np.testing.assert_allclose(mean, weighted / precision, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("logsnr_s", "logsnr_t"), PAIRS)
def test_float32_is_enough(logsnr_s, logsnr_t, marginal):
    def all_steps():
        process = Process(Cosine(), marginal)
        z, x = -1.3 * one(), 0.6 * one()
        l_s, l_t = jnp.asarray(logsnr_s), jnp.asarray(logsnr_t)
        return (
            *process.posterior(x, z, l_t, l_s),
            *process.transition(z, l_s, l_t),
            process.ddim(x, z, l_t, l_s),
        )

    single = all_steps()
    with jax.enable_x64(True):
        double = all_steps()
    for a, b in zip(single, double, strict=True):
        np.testing.assert_allclose(a, b, rtol=5e-6, atol=1e-6)


def test_ddim_is_a_rotation_for_variance_preserving(float64):
    process = Process(Cosine(), VariancePreserving(), diffusion.V())
    angle_t, angle_s = 1.2, 0.7
    l_t, l_s = (-2 * jnp.log(jnp.tan(angle)) for angle in (angle_t, angle_s))
    x_hat, z = 0.4 * one(), -0.9 * one()
    v = process.output(x_hat, z, l_t)
    rotated = np.cos(angle_s - angle_t) * z + np.sin(angle_s - angle_t) * v
    np.testing.assert_allclose(process.ddim(x_hat, z, l_t, l_s), rotated, rtol=1e-13)


def test_ddim_is_euler_for_flow_and_for_edm(float64):
    x_hat, z, t, s = 0.4 * one(), -0.9 * one(), 0.8, 0.5
    flow = Process(Cosine(), LinearInterpolant(), diffusion.Velocity())
    l_t, l_s = (2 * jnp.log((1 - u) / u) for u in (t, s))
    euler = z + (s - t) * flow.output(x_hat, z, l_t)
    np.testing.assert_allclose(flow.ddim(x_hat, z, l_t, l_s), euler, rtol=1e-13)
    edm = Process(Cosine(), VarianceExploding())
    l_t, l_s = (-2 * jnp.log(sigma) for sigma in (t, s))
    euler = z + (s - t) * (z - x_hat) / t
    np.testing.assert_allclose(edm.ddim(x_hat, z, l_t, l_s), euler, rtol=1e-13)


@pytest.mark.parametrize(
    ("marginal", "first", "end"),
    [
        (VariancePreserving(), lambda alpha, flow: 0.3, 0.3545104555),
        (VarianceExploding(), lambda alpha, flow: 0.3 / alpha, 0.4146225892),
        (LinearInterpolant(), lambda alpha, flow: 0.3 * flow / alpha, 0.2580856996),
    ],
    ids=["VariancePreserving", "VarianceExploding", "LinearInterpolant"],
)
def test_all_marginals_give_the_same_x_hat(marginal, first, end, float64):
    process = Process(EvenLogSNR(-6.0, 1.0), marginal)
    logsnr = jnp.linspace(-6, 1, 8)
    alpha, _ = VariancePreserving().alpha_sigma(logsnr[0])
    flow, _ = LinearInterpolant().alpha_sigma(logsnr[0])
    z, x_hats = video([first(alpha, flow)]), []
    for i in range(8):
        x_hats.append(two_points(process)(z, logsnr[i]))
        if i < 7:
            z = process.ddim(x_hats[-1], z, logsnr[i], logsnr[i + 1])
    np.testing.assert_allclose(
        np.ravel(x_hats),
        X_HATS,
        atol=5e-9,
    )
    np.testing.assert_allclose(z.item(), end, rtol=1e-9)


def test_two_point_denoiser_values(float64):
    process = Process(Cosine())
    z, logsnr = jnp.asarray([0.3, 0.3, -0.7]).reshape(3, 1, 1, 1, 1), jnp.asarray([0.0, 2.0, -2.0])
    x_hat = two_points(process)(z, logsnr)
    np.testing.assert_allclose(
        np.ravel(x_hat), [0.4005165892, 0.9823956843, -0.2677034340], rtol=1e-9
    )


def test_a_logsnr_per_frame_applies_to_that_frame(marginal):
    process = Process(Cosine(), marginal, diffusion.V())
    x, eps = jax.random.normal(jax.random.key(0), (2, 2, 3, 4, 4, 1))
    logsnr = jnp.asarray([[-3.0, 0.0, 2.0], [5.0, -8.0, 1.0]])
    z = process.diffuse(x, logsnr, eps)
    output = process.output(x, z, logsnr)
    for f in range(3):
        frame = slice(f, f + 1)
        alone = process.diffuse(x[:, frame], logsnr[:, f], eps[:, frame])
        np.testing.assert_array_equal(z[:, frame], alone)
        np.testing.assert_array_equal(
            output[:, frame], process.output(x[:, frame], alone, logsnr[:, f])
        )


def test_first_z_has_the_noise_of_time_one(marginal, float64):
    process = Process(diffusion.Karras(0.002, 80.0), marginal)
    _, sigma = marginal.alpha_sigma(-2 * jnp.log(80.0))
    np.testing.assert_allclose(process.prior_sample(one()), float(sigma), rtol=1e-12)


def test_a_logsnr_of_the_wrong_length_is_rejected():
    with pytest.raises(ValueError, match=r"\(3,\).*\(2, 1, 1, 1, 1\)"):
        Process(Cosine()).eps(jnp.zeros((2, 1, 1, 1, 1)), jnp.zeros((2, 1, 1, 1, 1)), jnp.zeros(3))
