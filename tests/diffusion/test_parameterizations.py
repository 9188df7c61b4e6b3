import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdm_jax.diffusion import (
    EDM,
    Cosine,
    Eps,
    LinearInterpolant,
    Output,
    Process,
    SNRPlusOne,
    V,
    VarianceExploding,
    VariancePreserving,
    Velocity,
    X,
)

ALL = [X(), Eps(), V(), Velocity(), EDM(), EDM(1.0)]
each = pytest.mark.parametrize("parameterization", ALL, ids=str)


def draw(count=4, shape=(6, 2, 3, 3, 2)):
    keys = jax.random.split(jax.random.key(0), count)
    return [jax.random.normal(key, shape) for key in keys]


def one():
    return jnp.ones((1,) * 5)


LOGSNR = np.linspace(-15, 15, 6)


@each
def test_x_and_output_are_inverses(parameterization, marginal, float64):
    process = Process(Cosine(), marginal, parameterization)
    x, eps, output, _ = draw()
    logsnr = jnp.asarray(LOGSNR)
    z = process.diffuse(x, logsnr, eps)
    x_again = process.x(process.output(x, z, logsnr), z, logsnr)
    np.testing.assert_allclose(x_again, x, rtol=1e-6, atol=1e-9)
    output_again = process.output(process.x(output, z, logsnr), z, logsnr)
    np.testing.assert_allclose(output_again, output, rtol=1e-6, atol=1e-8)


@each
def test_gain_scales_errors_of_the_output_to_errors_of_x(parameterization, marginal, float64):
    process = Process(Cosine(), marginal, parameterization)
    z, output, other, _ = draw()
    logsnr = jnp.asarray(LOGSNR)
    difference = process.x(output, z, logsnr) - process.x(other, z, logsnr)
    error = np.sum(np.square(difference), axis=(1, 2, 3, 4))
    target = np.sum(np.square(output - other), axis=(1, 2, 3, 4))
    np.testing.assert_allclose(error, process.gain(logsnr) ** 2 * target, rtol=1e-6)


@each
def test_guidance_is_the_same_in_x_and_in_the_output(parameterization, marginal, float64):
    process = Process(Cosine(), marginal, parameterization)
    z, cond, null, _ = draw()
    logsnr, weight = jnp.asarray(LOGSNR), 7.5
    in_output = process.x(null + weight * (cond - null), z, logsnr)
    x_cond, x_null = process.x(cond, z, logsnr), process.x(null, z, logsnr)
    np.testing.assert_allclose(in_output, x_null + weight * (x_cond - x_null), rtol=1e-6, atol=1e-8)


def test_values_at_alpha_0_8_and_sigma_0_6(float64):
    x, eps, logsnr = 0.5 * one(), -one(), 2 * jnp.log(0.8 / 0.6)
    z = Process(Cosine()).diffuse(x, logsnr, eps)
    assert z.item() == pytest.approx(-0.2)
    for parameterization, output in [(X(), 0.5), (Eps(), -1.0), (V(), -1.1)]:
        process = Process(Cosine(), VariancePreserving(), parameterization)
        assert process.output(x, z, logsnr).item() == pytest.approx(output)


def test_v_is_the_velocity_along_the_angle(float64):
    x, eps, angle = 0.3 * one(), -1.7 * one(), jnp.asarray(0.9)
    z, velocity = jax.jvp(
        lambda angle: jnp.cos(angle) * x + jnp.sin(angle) * eps, (angle,), (jnp.ones(()),)
    )
    v = V().output(x, z, jnp.cos(angle), jnp.sin(angle))
    np.testing.assert_allclose(v, velocity, rtol=1e-12)


def test_velocity_is_noise_minus_data_on_the_linear_path(float64):
    process = Process(Cosine(), LinearInterpolant(), Velocity())
    x, eps, *_ = draw()
    z = process.diffuse(x, jnp.asarray(LOGSNR), eps)
    output = process.output(x, z, jnp.asarray(LOGSNR))
    np.testing.assert_allclose(output, eps - x, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("sigma", "c_skip", "c_out", "c_in", "weight"),
    [
        (0.1, 0.96153846, 0.098058068, 1.9611614, 104),
        (0.5, 0.5, 0.35355339, 1.4142136, 8),
        (1.0, 0.2, 0.4472136, 0.89442719, 5),
        (80.0, 3.9060974e-5, 0.49999023, 0.012499756, 4.0001562),
    ],
)
def test_edm_coefficients(sigma, c_skip, c_out, c_in, weight, float64):
    process = Process(Cosine(), VarianceExploding(), EDM(0.5))
    logsnr = -2 * jnp.log(sigma)
    assert process.x(0 * one(), one(), logsnr).item() == pytest.approx(c_skip, rel=1e-7)
    assert process.x(one(), 0 * one(), logsnr).item() == pytest.approx(c_out, rel=1e-7)
    assert process.gain(logsnr) == pytest.approx(c_out, rel=1e-7)
    assert process.input(one(), logsnr).item() == pytest.approx(c_in, rel=1e-7)
    assert Output()(logsnr, process) == pytest.approx(weight, rel=1e-7)


@pytest.mark.parametrize("sigma_data", [0.5, 1.0, 3.0])
def test_edm_is_minus_v_of_the_normalized_problem(sigma_data, marginal, float64):
    x, eps, *_ = draw()
    logsnr = jnp.asarray(LOGSNR)
    edm = Process(Cosine(), marginal, EDM(sigma_data))
    # x / sigma_data has unit variance and, at the same sigma, another SNR.
    normalized = logsnr + 2 * jnp.log(sigma_data)
    v = Process(Cosine(), VariancePreserving(), V())
    z = v.diffuse(x / sigma_data, normalized, eps)
    output = v.output(x / sigma_data, z, normalized)
    f = edm.output(x, edm.diffuse(x, logsnr, eps), logsnr)
    np.testing.assert_allclose(f, -output, rtol=1e-6, atol=1e-8)
    network_input = edm.input(edm.diffuse(x, logsnr, eps), logsnr)
    np.testing.assert_allclose(network_input, z, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("variance", [1.0, 0.25])
def test_losses_of_the_zero_output_and_of_the_best_one(variance, float64):
    """The target's second moment, and the error of E[x | z], for x ~ N(0, variance)."""
    logsnr, none = jnp.asarray(0.7), 0 * one()
    alpha, sigma = VariancePreserving().alpha_sigma(logsnr)
    total = alpha**2 * variance + sigma**2
    zero = {X(): variance, Eps(): 1.0, V(): alpha**2 + sigma**2 * variance}
    best = {
        X(): variance * sigma**2 / total,
        Eps(): alpha**2 * variance / total,
        V(): variance / total,
    }
    for parameterization in zero:
        process = Process(Cosine(), VariancePreserving(), parameterization)

        def coefficients(x, eps, process=process):
            z = process.diffuse(x, logsnr, eps)
            target = process.output(x, z, logsnr)
            guess = process.output(alpha * variance / total * z, z, logsnr)
            return target.item(), (target - guess).item()

        by_x, by_eps = coefficients(one(), none), coefficients(none, one())
        second_moment = variance * by_x[0] ** 2 + by_eps[0] ** 2
        error = variance * by_x[1] ** 2 + by_eps[1] ** 2
        assert second_moment == pytest.approx(float(zero[parameterization]), rel=1e-12)
        assert error == pytest.approx(float(best[parameterization]), rel=1e-12)


@pytest.mark.parametrize("logsnr", [-20.0, 0.0, 20.0])
def test_loss_on_v_is_unit_weight_in_float32_at_both_ends(logsnr):
    process = Process(Cosine(), VariancePreserving(), V())
    logsnr = jnp.asarray(logsnr)
    unit = SNRPlusOne()(logsnr, process) * process.gain(logsnr) ** 2
    np.testing.assert_allclose(unit, 1, rtol=1e-6)


def test_edm_needs_a_positive_sigma_data():
    with pytest.raises(ValueError, match="sigma_data=0"):
        EDM(0.0)
