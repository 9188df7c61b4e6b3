"""Samplers on data with a known exact denoiser. Clips are one pixel; channels are probes."""

import counted
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import (
    EvenLogSNR,
    basis,
    exact_student,
    gaussian,
    mixture,
    run,
    spread,
    two_points,
    video,
    wasserstein,
)

from vdm_jax.diffusion import (
    DDIM,
    Ancestral,
    Cosine,
    Karras,
    LinearBeta,
    LinearInterpolant,
    Linspace,
    PredictorCorrector,
    Process,
    RectifiedFlow,
    Stochastic,
    VariancePreserving,
    langevin,
)

VP = Process(Cosine())
pytestmark = pytest.mark.usefixtures("float64")


def variance(coefficients):
    return float(jnp.sum(coefficients**2))


def initial_std(process, std=1.0):
    """The std of this process's z_1 that corresponds to `std` of a variance-preserving z_1."""
    logsnr = process.schedule(jnp.ones(()))
    return std * process.alpha_sigma(logsnr)[0] / VariancePreserving().alpha_sigma(logsnr)[0]


@pytest.mark.parametrize(
    ("steps", "unit", "half"),
    [
        (1, 4.539993e-5, None),
        (2, 0.50002270, None),
        (8, 0.85623985, 0.41137335),
        (256, 0.99519270, 0.49699697),
        (1024, 0.99879601, None),
    ],
)
def test_ddim_standard_deviation(steps, unit, half, marginal):
    process = Process(Cosine(), marginal)
    denoiser = gaussian(process, 0.0, video([1.0, 0.25]))
    out = np.ravel(run(DDIM(steps), denoiser, initial_std(process) * video([1.0, 1.0]), process))
    assert out[0] == pytest.approx(unit, abs=5e-9)
    assert half is None or out[1] == pytest.approx(half, abs=5e-9)


def test_one_step_of_ddim_is_x_hat(marginal):
    process = Process(Cosine(), marginal)
    z, denoiser = video([0.3, -1.2]), two_points(process)
    x_hat = denoiser(z, process.schedule(jnp.ones(())))
    np.testing.assert_allclose(run(DDIM(1), denoiser, z, process), x_hat, rtol=1e-13)


@pytest.mark.parametrize(
    "schedule", [Cosine(), LinearBeta(), RectifiedFlow(), Karras()], ids=lambda s: type(s).__name__
)
def test_ddim_transports_the_mean_exactly(schedule, marginal):
    process, mean = Process(schedule, marginal), 0.7
    alpha, _ = process.alpha_sigma(schedule(jnp.ones(())))
    out = run(DDIM(5), gaussian(process, mean, 0.3), alpha * mean * video([1.0]), process)
    assert out.item() == pytest.approx(mean, rel=1e-12)


@pytest.mark.parametrize("sampler", [DDIM(3), Ancestral(3), PredictorCorrector(3), Stochastic(3)])
def test_samples_of_a_point_mass_are_the_point(sampler, marginal, basis_noise):
    process = Process(Cosine(), marginal)
    out = run(sampler, gaussian(process, 0.7, 0.0), video([-2.0, 5.0]), process)
    np.testing.assert_allclose(out.ravel(), 0.7, rtol=1e-14)


def test_ddim_resumes_where_it_stopped(marginal):
    process = Process(Cosine(), marginal)
    z, denoiser = process.prior_sample(video([0.3, -1.2])), two_points(process)
    half = run(DDIM(4), denoiser, z, process, stop=0.5)
    resumed = run(DDIM(4), denoiser, half, process, start=0.5)
    np.testing.assert_allclose(resumed, run(DDIM(8), denoiser, z, process), rtol=1e-12)


def test_n_steps_equal_n_single_steps():
    z, denoiser, key = video([0.3, -1.2]), two_points(VP), jax.random.key(0)
    stepped = z
    for i in range(4):
        stepped = DDIM(1)(key, denoiser, stepped, VP, start=1 - i / 4, stop=1 - (i + 1) / 4)
    np.testing.assert_allclose(DDIM(4)(key, denoiser, z, VP), stepped, rtol=1e-12)


def test_sampling_then_inversion_is_the_identity(marginal):
    process, z = Process(Cosine(), marginal), video([0.4, -1.1])

    def error(denoiser, steps):
        down = run(DDIM(steps), denoiser, z, process, start=0.9, stop=0.1)
        up = run(DDIM(steps), denoiser, down, process, start=0.1, stop=0.9)
        return np.max(np.abs(up - z))

    assert error(gaussian(process, 0.7, 0.0), 4) < 1e-12
    coarse, fine = (error(gaussian(process, 0.2, 0.25), steps) for steps in (128, 256))
    assert fine < 0.01 and coarse / fine == pytest.approx(2, rel=0.05)


def test_inversion_finds_the_noise_of_a_video():
    z = run(DDIM(1024), gaussian(VP, 0.2, 0.25), video([0.2, 0.7]), VP, start=0.0, stop=1.0)
    np.testing.assert_allclose(z.ravel(), [0.0, 1.0], atol=5e-3)


@pytest.mark.parametrize(
    ("gamma", "steps", "unit"),
    [
        (0.0, 4, 0.435673),
        (0.0, 64, 0.931128),
        (0.0, 256, 0.981443),
        (0.0, 1024, 0.995239),
        (0.1, 64, 0.937441),
        (0.3, 256, 0.986879),
        (1.0, 4, 0.853537),
        (1.0, 64, 0.999396),
    ],
)
def test_ancestral_variance_of_unit_data(gamma, steps, unit, basis_noise):
    out = run(Ancestral(steps, gamma), gaussian(VP, 0.0, 1.0), basis(steps + 1), VP)
    assert variance(out) == pytest.approx(unit, abs=6e-7)


@pytest.mark.parametrize(("gamma", "value"), [(0.0, 0.224622), (0.3, 0.233328), (1.0, 0.256735)])
def test_ancestral_variance_of_data_of_variance_a_quarter(gamma, value, basis_noise):
    out = run(Ancestral(64, gamma), gaussian(VP, 0.0, 0.25), basis(65), VP)
    assert variance(out) == pytest.approx(value, abs=6e-7)


def test_small_variance_gives_equal_samples_for_every_marginal(marginal, basis_noise):
    process = Process(Cosine(), marginal)
    z = initial_std(process) * basis(65)
    out = run(Ancestral(64), gaussian(process, 0.0, 0.25), z, process)
    assert variance(out) == pytest.approx(0.224622, abs=6e-7)


@pytest.mark.parametrize("stop", [0.75, 0.5, 0.25])
def test_large_variance_is_exact_for_unit_data_at_every_step(stop, basis_noise):
    out = run(Ancestral(4, 1.0), gaussian(VP, 0.0, 1.0), basis(5), VP, stop=stop)
    assert variance(out) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("stop", [0.75, 0.25])
def test_small_variance_is_exact_for_a_point_at_every_step(stop, marginal, basis_noise):
    process = Process(Cosine(), marginal)
    out = run(
        Ancestral(4),
        gaussian(process, 0.0, 0.0),
        process.prior_sample(basis(5)),
        process,
        stop=stop,
    )
    _, sigma = process.alpha_sigma(process.schedule(jnp.asarray(stop)))
    assert variance(out) == pytest.approx(float(sigma**2), rel=1e-12)


@pytest.mark.parametrize(
    ("gamma", "steps", "unit"),
    [(0.0, 64, 0.950739), (0.0, 256, 0.993609), (0.0, 1024, 1.000519), (1.0, 256, 1.004193)],
)
def test_predictor_corrector_variance(gamma, steps, unit, basis_noise):
    sampler = PredictorCorrector(steps, gamma, delta=0.1)
    out = run(sampler, gaussian(VP, 0.0, 1.0), basis(2 * steps + 1), VP)
    assert variance(out) == pytest.approx(unit, abs=6e-7)


@pytest.mark.parametrize(("logsnr", "value"), [(-40.0, 1.0256410256), (0.0, 1.0126582278)])
def test_stationary_variance_of_langevin_steps(logsnr, value, basis_noise):
    out = langevin(counted.key(0), gaussian(VP, 0.0, 1.0), basis(2), VP, jnp.asarray(logsnr), 0.1)
    of_z, of_noise = np.ravel(out)
    assert of_noise**2 / (1 - of_z**2) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize(
    ("data", "steps", "value"),
    [
        (1.0, 4, 0.366987),
        (1.0, 64, 0.926849),
        (1.0, 256, 0.980981),
        (0.25, 64, 0.221280),
    ],
)
def test_stochastic_variance_of_an_undistilled_denoiser(data, steps, value, basis_noise):
    out = run(Stochastic(steps), gaussian(VP, 0.0, data), basis(steps + 1), VP)
    assert variance(out) == pytest.approx(value, abs=6e-7)


@pytest.mark.parametrize(("steps", "data"), [(2, 0.25), (4, 1.0), (8, 0.25)])
def test_stochastic_is_exact_for_an_exact_student(steps, data, marginal, basis_noise):
    process = Process(Cosine(), marginal)
    z = spread(process, data, process.schedule(jnp.ones(()))) * basis(steps + 1)
    out = run(Stochastic(steps), exact_student(process, data, steps), z, process)
    assert variance(out) == pytest.approx(data, rel=1e-8)


@pytest.mark.parametrize(("steps", "value"), [(8, 0.16901), (32, 0.04409), (256, 0.00560)])
def test_ddim_distance_to_a_mixture(steps, value):
    assert wasserstein(DDIM(steps), VP) == pytest.approx(value, abs=6e-6)


def test_ddim_of_a_mixture_is_odd_and_increasing():
    z = jnp.linspace(-3, 3, 101)
    out = np.ravel(run(DDIM(16), mixture(VP), video(z), VP))
    assert np.all(np.diff(out) > 0)
    np.testing.assert_allclose(out, -out[::-1], atol=1e-12)


@pytest.mark.parametrize(("data", "value"), [(0.25, 0.84607940), (1.0, 0.85952257)])
def test_ddim_on_the_karras_grid_is_edm_euler(data, value, marginal):
    process = Process(Karras(), marginal)
    z = process.prior_sample(video([1.0]))
    out = run(DDIM(18, grid=Linspace()), gaussian(process, 0.0, data), z, process)
    exact = np.sqrt(data) * z.item() / spread(process, data, process.schedule(jnp.ones(())))
    assert float(out.item() / exact) == pytest.approx(value, abs=6e-9)


@pytest.mark.parametrize(
    ("steps", "error"), [(32, -4.5328e-2), (64, -2.2926e-2), (128, -1.1529e-2)]
)
def test_ddim_is_of_first_order(steps, error):
    process, data = Process(EvenLogSNR(-6.0, 18.0)), 0.25
    out = run(DDIM(steps), gaussian(process, 0.0, data), video([1.0]), process, stop=0.5)
    exact = spread(process, data, 6.0) / spread(process, data, -6.0)
    assert float(out.item() / exact - 1) == pytest.approx(error, abs=6e-7)


def calls(sampler, process=VP):
    """The number of denoiser calls of a sampler."""
    count = []
    denoiser = gaussian(process, 0.0, 1.0)

    def counted(z, logsnr):
        jax.debug.callback(lambda: count.append(1))
        return denoiser(z, logsnr)

    jax.block_until_ready(run(sampler, counted, video([1.0]), process))
    jax.effects_barrier()
    return len(count)


@pytest.mark.parametrize(
    ("sampler", "number"),
    [(DDIM(5), 5), (Ancestral(5), 5), (Stochastic(5), 5), (PredictorCorrector(5), 9)],
    ids=str,
)
def test_number_of_denoiser_calls(sampler, number):
    assert calls(sampler) == number


@pytest.mark.parametrize(
    "sampler", [DDIM(4), Ancestral(4, 0.3), PredictorCorrector(4), Stochastic(4)], ids=str
)
def test_float32_stays_float32_and_follows_the_key(sampler):
    with jax.enable_x64(False):
        process = Process(RectifiedFlow(), LinearInterpolant())
        z = process.prior_sample(jnp.linspace(-2, 2, 24).reshape(2, 3, 2, 2, 1))
        run = jax.jit(lambda key: sampler(key, two_points(process), z, process))
        one, again, other = (run(jax.random.key(i, impl="unsafe_rbg")) for i in (1, 1, 2))
    assert one.dtype == jnp.float32 and np.all(np.isfinite(one))
    np.testing.assert_array_equal(one, again)
    assert np.array_equal(one, other) == isinstance(sampler, DDIM)


@pytest.mark.parametrize("sampler", [Ancestral(4), PredictorCorrector(4), Stochastic(4)], ids=str)
def test_random_samplers_reject_inversion(sampler):
    with pytest.raises(ValueError, match=r"stop=0.9 must be below start=0.1.*DDIM"):
        sampler(jax.random.key(0), two_points(VP), video([1.0]), VP, start=0.1, stop=0.9)


def test_gamma_outside_0_to_1_is_rejected():
    with pytest.raises(ValueError, match=r"Ancestral: gamma=1.5"):
        Ancestral(4, 1.5)
    with pytest.raises(ValueError, match=r"PredictorCorrector: gamma=-1"):
        PredictorCorrector(4, -1)
