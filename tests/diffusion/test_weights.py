import jax.numpy as jnp
import numpy as np
import pytest

from vdm_jax.diffusion import (
    EDM,
    P2,
    SNR,
    Constant,
    Cosine,
    EDMWeight,
    Eps,
    LinearInterpolant,
    MinSNR,
    Output,
    Process,
    ShiftedCosine,
    Sigmoid,
    SNRPlusOne,
    TruncatedSNR,
    V,
    VarianceExploding,
    VariancePreserving,
    Velocity,
    X,
    check,
    slope,
)

PROCESS = Process(Cosine(), VariancePreserving(), V())


@pytest.mark.parametrize(
    ("weight", "at_0", "at_2", "at_minus_2"),
    [
        (Constant(), 1, 1, 1),
        (SNR(), 1, 7.389056, 0.135335),
        (TruncatedSNR(), 1, 7.389056, 1),
        (SNRPlusOne(), 2, 8.389056, 1.135335),
        (MinSNR(), 1, 5, 0.135335),
    ],
    ids=str,
)
def test_values(weight, at_0, at_2, at_minus_2, float64):
    values = weight(jnp.asarray([0.0, 2.0, -2.0]), PROCESS)
    np.testing.assert_allclose(values, [at_0, at_2, at_minus_2], atol=5e-7)


def test_values_on_the_error_of_eps(float64):
    def on_eps(weight, logsnr):
        process = Process(Cosine(), VariancePreserving(), Eps())
        logsnr = jnp.asarray(logsnr)
        return weight(logsnr, process) * process.gain(logsnr) ** 2

    assert on_eps(MinSNR(), 10.0) == pytest.approx(0.000227, abs=5e-7)
    logsnr = jnp.asarray([0.0, 2.0, -2.0])
    per_logsnr = on_eps(Sigmoid(2.0), logsnr) / -slope(Cosine(), Cosine().inverse(logsnr))
    np.testing.assert_allclose(per_logsnr, [0.880797, 0.5, 0.982014], atol=5e-7)
    np.testing.assert_allclose(on_eps(P2(), logsnr), 1 / (1 + np.exp(logsnr)), rtol=1e-12)


def test_min_snr_on_the_error_of_v(float64):
    logsnr = jnp.asarray([0.0, 2.0, -2.0])
    on_v = MinSNR()(logsnr, PROCESS) * PROCESS.gain(logsnr) ** 2
    np.testing.assert_allclose(on_v, [0.5, 0.596015, 0.119203], atol=5e-7)


@pytest.mark.parametrize(
    ("marginal", "parameterization", "weight"),
    [
        (VariancePreserving(), X(), Constant()),
        (VariancePreserving(), Eps(), SNR()),
        (VariancePreserving(), V(), SNRPlusOne()),
        (LinearInterpolant(), V(), SNRPlusOne()),
        (VarianceExploding(), EDM(0.5), EDMWeight(0.5)),
        (VariancePreserving(), EDM(2.0), EDMWeight(2.0)),
    ],
    ids=str,
)
def test_the_mean_squared_error_of_an_output_is_a_weight_of_x(
    marginal, parameterization, weight, float64
):
    process, logsnr = Process(Cosine(), marginal, parameterization), jnp.linspace(-20, 20, 9)
    np.testing.assert_allclose(
        Output()(logsnr, process), weight(logsnr, process), rtol=1e-9, err_msg=str(weight)
    )


def test_velocity_loss_is_the_x_loss_over_t_squared(float64):
    t = jnp.linspace(0.1, 0.9, 9)
    process = Process(Cosine(), LinearInterpolant(), Velocity())
    np.testing.assert_allclose(Output()(2 * jnp.log((1 - t) / t), process), t**-2, rtol=1e-12)


def best_loss(weight, process, variance, count=200_001):
    """E over t of weight ||x - E[x | z]||^2 for x ~ N(0, variance), by the trapezoid rule."""
    logsnr = jnp.linspace(20, -20, count)
    t = process.schedule.inverse(logsnr)
    alpha, sigma = process.alpha_sigma(logsnr)
    error = variance * sigma**2 / (alpha**2 * variance + sigma**2)
    return np.trapezoid(weight(logsnr, process) * error, t)


@pytest.mark.parametrize(
    ("weight", "value"),
    [(SNR(), 0.5), (Constant(), 0.5), (TruncatedSNR(), 0.818299), (MinSNR(), 0.323697)],
    ids=str,
)
def test_best_losses_on_white_noise(weight, value, float64):
    assert best_loss(weight, PROCESS, 1.0) == pytest.approx(value, abs=2e-6)


@pytest.mark.parametrize(("variance", "information"), [(1.0, 10.0), (0.25, 9.306853)])
def test_loss_of_eps_against_logsnr_is_information(variance, information, float64):
    """I-MMSE: half the best eps loss, integrated over logsnr, is the information of z about x."""

    def half_eps_per_logsnr(logsnr, process):
        return -slope(process.schedule, process.schedule.inverse(logsnr)) * jnp.exp(logsnr) / 2

    assert best_loss(half_eps_per_logsnr, PROCESS, variance) == pytest.approx(information, abs=1e-5)


def test_sigmoid_loss_does_not_depend_on_the_schedule(float64):
    shifted = Process(ShiftedCosine(128), VariancePreserving(), V())
    losses = [best_loss(Sigmoid(-1.0), process, 1.0) for process in (PROCESS, shifted)]
    # The shifted schedule ends sooner and extrapolates beyond: only its ends may differ.
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


@pytest.mark.parametrize(
    "weight",
    [SNR(), TruncatedSNR(), SNRPlusOne(), MinSNR(), P2(), Sigmoid(), EDMWeight(), Output()],
    ids=str,
)
def test_weights_are_finite_in_float32_at_both_ends(weight):
    logsnr = Cosine()(jnp.asarray([[0.0, 1e-3], [0.999, 1.0]]))
    values = weight(logsnr, PROCESS)
    assert values.shape == (2, 2) and np.all(np.isfinite(values))


def test_eps_with_truncated_snr_is_rejected():
    with pytest.raises(ValueError, match=r"Eps\(\).*TruncatedSNR\(\).*V\(\).*SNR\(\)"):
        check(Eps(), TruncatedSNR())
    check(V(), TruncatedSNR())
    check(Eps(), SNR())
