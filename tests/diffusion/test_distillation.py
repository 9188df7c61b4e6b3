"""Two DDIM steps merged into one, on data with a known exact denoiser and flow."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import exact_student, gaussian, jump, mixture, run, spread, video

from vdm_jax.diffusion import (
    DDIM,
    Cosine,
    DeterministicJump,
    Process,
    Stochastic,
    StochasticJump,
    grid_logsnr,
    merge_steps,
    two_steps,
)


def landing(process, denoiser, z, logsnr_t, logsnr_m, logsnr_s):
    """z_s after two DDIM steps, and the x_hat whose one step gives it: DDIM is affine in x_hat."""
    z_m = process.ddim(denoiser(z, logsnr_t), z, logsnr_t, logsnr_m)
    z_s = process.ddim(denoiser(z_m, logsnr_m), z_m, logsnr_m, logsnr_s)
    zero, one = (process.ddim(jnp.full_like(z, x), z, logsnr_t, logsnr_s) for x in (0.0, 1.0))
    return z_s, (z_s - zero) / (one - zero)


def test_one_step_equals_two_steps(marginal, float64):
    process, z = Process(Cosine(), marginal), video([0.3, -1.2])
    levels = [jnp.asarray(level) for level in (-3.0, -1.0, 2.0)]
    z_s, _ = landing(process, mixture(process), z, *levels)
    x = two_steps(mixture(process), z, process, *levels)
    np.testing.assert_allclose(process.ddim(x, z, levels[0], levels[2]), z_s, rtol=1e-12)


def test_merging_with_a_step_to_data_or_of_zero_length():
    first, second = video([0.1, 0.2]), video([0.3, -0.4])
    end = jnp.asarray(jnp.inf)
    at_data = merge_steps(first, second, jnp.asarray(0.0), jnp.asarray(5.0), end)
    np.testing.assert_array_equal(at_data, second)
    np.testing.assert_array_equal(merge_steps(first, second, jnp.asarray(0.0), end, end), first)


@pytest.mark.parametrize("data", [gaussian, mixture], ids=lambda data: data.__name__)
def test_float32_keeps_its_digits_at_8192_steps(data):
    """At every 13th step; the paper's formula in float32 has errors of 5e-4."""
    steps = 8192
    i = np.arange(1, steps + 1, 13)
    z = np.random.default_rng(0).standard_normal((len(i), 1, 1, 1, 8))

    def problem(process):
        return data(process, 0.2, 0.25) if data is gaussian else data(process)

    process = Process(Cosine())

    def levels():
        return DeterministicJump()(process.schedule, jnp.asarray(i), jnp.asarray(steps))

    single = jax.jit(lambda z: two_steps(problem(process), z, process, *levels()))(np.float32(z))
    assert single.dtype == jnp.float32
    with jax.enable_x64(True):
        target = jax.jit(lambda z: landing(process, problem(process), z, *levels())[1])
        exact = np.asarray(target(z))
    assert np.max(np.abs(single - exact)) < 1e-5


def student(teacher, process, steps):
    """The perfect student of `steps` steps."""

    def denoiser(z, logsnr):
        i = jnp.round(steps * process.schedule.inverse(logsnr)).astype(int)
        return two_steps(teacher, z, process, *DeterministicJump()(process.schedule, i, steps))

    return denoiser


def test_halving_keeps_the_teachers_map(marginal, float64):
    """8 DDIM steps on N(mean, 1) and N(mean, 1/4) have known gains; 4, 2 and 1 have the same."""
    process, mean = Process(Cosine(), marginal), 0.7
    alpha, sigma = process.alpha_sigma(process.schedule(jnp.ones(())))
    noise = sigma / np.sqrt(sigma**2 / (alpha**2 + sigma**2))  # in units of a unit-variance z_1
    z = alpha * mean + noise * video([0.0, 1.0, 1.0])
    teacher = gaussian(process, mean, video([0.5, 1.0, 0.25]))
    for steps in (8, 4, 2, 1):
        center, unit, half = np.ravel(run(DDIM(steps), teacher, z, process)) - mean
        assert center == pytest.approx(0, abs=1e-12)
        assert unit == pytest.approx(0.85623985, abs=5e-9)
        assert half == pytest.approx(0.41137335, abs=5e-9)
        teacher = student(teacher, process, steps // 2) if steps > 1 else teacher


@pytest.mark.parametrize(("steps", "data"), [(1, 0.25), (4, 1.0), (8, 0.25)])
def test_stochastic_jumps_give_the_exact_student_of_the_stochastic_sampler(
    steps, data, marginal, float64
):
    """A teacher exact for steps of 1 / N gives a student exact for 2 / N, at all N times."""
    process = Process(Cosine(), marginal)
    i = jnp.arange(1, steps + 1)
    levels = StochasticJump()(process.schedule, i, jnp.asarray(steps))
    z = jnp.ones((steps, 1, 1, 1, 1))

    def each(denoiser):
        return lambda z, logsnr: jax.vmap(denoiser)(z, logsnr)

    def target(z):
        return two_steps(each(exact_student(process, data, 2 * steps)), z, process, *levels)

    student = jax.jit(target)(z)
    exact = jax.jit(each(exact_student(process, data, steps)))(z, levels[0])
    # Sampling ends with x_hat; the exact flow ends at the schedule's last noise level.
    np.testing.assert_allclose(student, exact, rtol=1e-4)


def test_students_of_stochastic_jumps_sample_the_right_variance(basis_noise, float64):
    process, data, steps = Process(Cosine()), 0.25, 4
    schedule = process.schedule

    def denoiser(z, logsnr):
        i = jnp.round(steps * schedule.inverse(logsnr)).astype(int)
        levels = StochasticJump()(schedule, i, jnp.asarray(steps))
        return two_steps(exact_student(process, data, 2 * steps), z, process, *levels)

    z = spread(process, data, schedule(jnp.ones(()))) * jnp.eye(1, steps + 1).reshape(
        1, 1, 1, 1, -1
    )
    out = Stochastic(steps)(jax.random.key(0), denoiser, z, process)
    assert float(jnp.sum(out**2)) == pytest.approx(data, rel=1e-3)


def test_merged_steps_of_the_exact_flow_are_the_exact_flow(marginal, float64):
    """Two exact steps along the flow merge into the exact step from start to end."""
    process, data = Process(Cosine(), marginal), 0.25
    z, (t, m, s) = video([1.0]), (jnp.asarray(level) for level in (-3.0, -2.0, 4.0))
    first = jump(process, data, t, m, z)
    second = jump(process, data, m, s, process.ddim(first, z, t, m))
    np.testing.assert_allclose(merge_steps(first, second, t, m, s), jump(process, data, t, s, z))


def test_times_of_a_grid_end_at_clean_data():
    logsnr = grid_logsnr(Cosine(), jnp.arange(-1, 5), 4)
    assert np.isposinf(logsnr[:2]).all()
    np.testing.assert_array_equal(logsnr[2:], Cosine()(jnp.arange(1, 5) / 4))
