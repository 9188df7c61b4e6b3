import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdm_jax import diffusion
from vdm_jax.diffusion import (
    Cosine,
    DiscreteBetas,
    InterpolatedCosine,
    Karras,
    LinearBeta,
    RectifiedFlow,
    ShiftedCosine,
)

SCHEDULES = [
    Cosine(),
    Cosine(-15.0, 12.0),
    ShiftedCosine(256),
    InterpolatedCosine(512),
    LinearBeta(),
    Karras(),
    Karras(0.002, 700.0),
    RectifiedFlow(),
    RectifiedFlow(shift=3.0),
    DiscreteBetas(),
    DiscreteBetas(0.00085, 0.012, power=2.0),
]
each = pytest.mark.parametrize("schedule", SCHEDULES, ids=str)


@each
def test_decreases_and_inverts(schedule, float64):
    t = jnp.linspace(0, 1, 2001)
    logsnr = jax.jit(schedule)(t)
    assert np.all(np.isfinite(logsnr)) and np.all(np.diff(logsnr) < 0)
    np.testing.assert_allclose(jax.jit(schedule.inverse)(logsnr), t, atol=1e-9)


@each
def test_float32_agrees_with_float64(schedule):
    t = np.linspace(0, 1, 513)  # exact in float32
    single = jax.jit(schedule)(jnp.asarray(t, jnp.float32))
    with jax.enable_x64(True):
        double = jax.jit(schedule)(jnp.asarray(t))
    np.testing.assert_allclose(single, double, rtol=1e-6, atol=5e-6)
    np.testing.assert_allclose(jax.jit(schedule.inverse)(single), t, atol=1e-6)


@each
def test_slope_is_the_derivative(schedule, float64):
    t, h = jnp.asarray([0.03157, 0.25171, 0.70133, 0.93191]), 1e-5
    slope = jax.jit(lambda t: diffusion.slope(schedule, t))(t)
    difference = (jax.jit(schedule)(t + h) - jax.jit(schedule)(t - h)) / (2 * h)
    np.testing.assert_allclose(slope, difference, rtol=1e-6)


def test_cosine_values(float64):
    logsnr = Cosine(-20.0, 20.0)(jnp.asarray([0, 0.1, 0.25, 0.5, 1]))
    np.testing.assert_allclose(
        logsnr, [20, 3.6849899867, 1.7626187666, 0, -20], rtol=1e-10, atol=1e-12
    )
    alpha, sigma = diffusion.VariancePreserving().alpha_sigma(logsnr[1:3])
    np.testing.assert_allclose(alpha, [0.9876826583, 0.9238708454], rtol=1e-9)
    np.testing.assert_allclose(sigma, [0.1564703377, 0.3827044043], rtol=1e-9)
    np.testing.assert_allclose(Cosine(-15.0, 15.0)(jnp.asarray(0.25)), 1.7611832477, rtol=1e-10)


def test_untruncated_cosine_is_a_cosine(float64):
    t = jnp.linspace(0.05, 0.95, 19)
    alpha, _ = diffusion.VariancePreserving().alpha_sigma(Cosine(-60.0, 60.0)(t))
    np.testing.assert_allclose(alpha, np.cos(np.pi * t / 2), rtol=1e-11)


@pytest.mark.parametrize("schedule", [Cosine(), RectifiedFlow()], ids=str)
def test_symmetric_bounds_give_an_odd_schedule_exactly(schedule):
    t = jnp.linspace(0, 1, 257)
    np.testing.assert_array_equal(schedule(1 - t), -schedule(t))
    np.testing.assert_allclose(schedule(jnp.asarray([0.0, 1.0])), [20, -20], rtol=3e-7)


@pytest.mark.parametrize(
    ("resolution", "shift"),
    [(32, 1.386294), (64, 0), (128, -1.386294), (320, -3.218876), (1280, -5.991465)],
)
def test_shifted_cosine_shifts_every_logsnr_equally(resolution, shift, float64):
    t = jnp.linspace(0, 1, 11)
    np.testing.assert_allclose(ShiftedCosine(resolution)(t) - Cosine()(t), shift, atol=5e-7)


def test_interpolated_cosine_values(float64):
    schedule = InterpolatedCosine(512, low=32, high=256, cosine=Cosine(-15.0, 15.0))
    logsnr = schedule(jnp.asarray([0.25, 0.5, 0.75]))
    np.testing.assert_allclose(logsnr, [-0.664832, -3.465736, -6.266640], atol=5e-7)


def test_linear_beta_values(float64):
    np.testing.assert_allclose(
        LinearBeta()(jnp.asarray([0.0, 0.5, 1.0])), [20, -2.4551355, -10.0499568], atol=2e-7
    )


def test_rectified_flow_values(float64):
    wide = RectifiedFlow(-60.0, 60.0)
    np.testing.assert_allclose(wide(jnp.asarray([0.1, 0.25])), [4.394449, 2.197225], atol=5e-7)


def test_shifting_logsnr_is_shifting_the_time_of_rectified_flow(float64):
    t, s = jnp.linspace(0.05, 0.95, 19), 3.0
    shifted = s * t / (1 + (s - 1) * t)
    np.testing.assert_allclose(
        RectifiedFlow(-60.0, 60.0, shift=s)(t), RectifiedFlow(-60.0, 60.0)(shifted), atol=1e-9
    )


def test_rectified_flow_is_uniform_time_on_the_linear_path(float64):
    t = jnp.linspace(0.05, 0.95, 19)
    alpha, sigma = diffusion.LinearInterpolant().alpha_sigma(RectifiedFlow(-60.0, 60.0)(t))
    np.testing.assert_allclose(alpha, 1 - t, atol=1e-12)
    np.testing.assert_allclose(sigma, t, atol=1e-12)


def test_discrete_betas_values(float64):
    logsnr = DiscreteBetas()(jnp.asarray([1, 500, 1000]) / 1000)  # steps 0, 499 and 999
    np.testing.assert_allclose(logsnr[jnp.asarray([0, 2])], [9.210240, -10.117673], atol=5e-7)
    abar = jax.nn.sigmoid(logsnr)
    np.testing.assert_allclose(abar, [0.9999, 0.0785872, 4.035830e-5], rtol=1e-6)


@pytest.mark.parametrize(("power", "last"), [(1.0, 1.5790e-3), (2.0, 4.6601e-3)])
def test_discrete_betas_of_stable_diffusion_and_of_animatediff(power, last, float64):
    logsnr = DiscreteBetas(0.00085, 0.012, power=power)(jnp.ones(()))
    np.testing.assert_allclose(jax.nn.sigmoid(logsnr), last, atol=6e-8)


def test_index_gives_the_step_numbers_of_discrete_betas(float64):
    schedule, k = DiscreteBetas(0.00085, 0.012, power=2.0), jnp.asarray([0, 1, 20, 981, 999])
    np.testing.assert_allclose(schedule.index(schedule((k + 1) / 1000)), k, atol=1e-9)


def test_karras_sigmas(float64):
    grid = diffusion.Linspace()

    def sigmas(schedule, steps):
        return np.exp(-schedule(jnp.asarray(grid(steps, 1.0, 0.0)[:-1])) / 2)

    np.testing.assert_allclose(
        sigmas(Karras(), 5), [80, 17.52783196, 2.51521898, 0.16975276, 0.002], rtol=5e-8
    )
    np.testing.assert_allclose(
        sigmas(Karras(), 18)[[1, 2, 8, 12, 16]],
        [57.58598472, 40.7855738, 3.25682152, 0.29644228, 0.00752802],
        rtol=1e-6,
    )
    svd = sigmas(Karras(0.002, 700.0), 25)
    np.testing.assert_allclose(
        svd[[0, 1, 2, 12, 23, 24]],
        [700, 545.72924617, 421.5691359, 15.5899678, 0.0078825, 0.002],
        rtol=5e-6,
    )
    np.testing.assert_allclose(
        [*Karras()(jnp.asarray([0.0, 1.0])), Karras(0.002, 700.0)(jnp.ones(()))],
        [12.429216, -8.764053, -13.102161],
        atol=5e-7,
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Cosine(20.0, -20.0), "logsnr_min=20.0.*logsnr_max=-20.0.*swapped"),
        (lambda: RectifiedFlow(shift=0.0), "shift=0.0"),
        (lambda: Karras(80.0, 0.002), "sigma_max=0.002.*sigma_min=80.0"),
        (lambda: DiscreteBetas(0.02, 1e-4), "beta_start=0.02.*beta_end=0.0001"),
        (lambda: LinearBeta(20.0, 0.1), "beta_max=0.1.*beta_min=20.0"),
        (lambda: InterpolatedCosine(512, low=256, high=32), "low=256.*high=32"),
        (lambda: ShiftedCosine(-1), "resolution=-1"),
    ],
)
def test_invalid_schedules_are_rejected(make, message):
    with pytest.raises(ValueError, match=message):
        make()
