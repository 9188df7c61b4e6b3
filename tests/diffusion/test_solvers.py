"""Second-order samplers on data with a known exact denoiser."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import (
    EvenLogSNR,
    basis,
    gaussian,
    mixture,
    run,
    spread,
    video,
    wasserstein,
)

from vdm_jax.diffusion import (
    Cosine,
    DPMSolver,
    Heun,
    Karras,
    LinearInterpolant,
    Process,
    RectifiedFlow,
    Trailing,
)

pytestmark = pytest.mark.usefixtures("float64")
TRAILING = Trailing()


@pytest.mark.parametrize(
    ("solver", "errors"),
    [
        (DPMSolver, {32: 1.9963e-3, 64: 5.0988e-4, 128: 1.2835e-4}),
        (lambda n: Heun(n, grid=TRAILING), {32: 4.6040e-3, 64: 1.1235e-3, 128: 2.7754e-4}),
    ],
    ids=["DPMSolver", "Heun"],
)
def test_second_order(solver, errors, marginal):
    process, data = Process(EvenLogSNR(-6.0, 18.0), marginal), 0.25
    exact = spread(process, data, 6.0) / spread(process, data, -6.0)
    for steps, error in errors.items():
        out = run(solver(steps), gaussian(process, 0.0, data), video([1.0]), process, stop=0.5)
        assert float(out.item() / exact - 1) == pytest.approx(error, abs=6e-8)


@pytest.mark.parametrize(
    ("solver", "error"), [(DPMSolver(64), 3.6067e-4), (Heun(64, grid=TRAILING), 3.4374e-4)]
)
def test_error_on_part_of_the_cosine_schedule(solver, error):
    process, data = Process(Cosine()), 0.25
    ends = [process.schedule(jnp.asarray(t)) for t in (0.1, 0.9)]
    exact = spread(process, data, ends[0]) / spread(process, data, ends[1])
    out = run(solver, gaussian(process, 0.0, data), video([1.0]), process, start=0.9, stop=0.1)
    assert float(out.item() / exact - 1) == pytest.approx(error, abs=6e-9)


@pytest.mark.parametrize(("steps", "std"), [(8, 0.96266319), (128, 1.00006129)])
def test_dpm_solver_ends_in_first_order(steps, std):
    process = Process(Cosine())
    z, denoiser = video([1.0]), gaussian(process, 0.0, 1.0)
    before = run(DPMSolver(steps - 1), denoiser, z, process, stop=1 / steps)
    ends = process.schedule(jnp.asarray([1 / steps, 0.0]))
    x_hat = denoiser(before, ends[0])
    assert process.ddim(x_hat, before, *ends).item() == pytest.approx(std, abs=6e-9)
    np.testing.assert_allclose(run(DPMSolver(steps), denoiser, z, process), x_hat, rtol=1e-12)


@pytest.mark.parametrize(
    ("steps", "quarter", "unit"),
    [(18, 1.05526988, 1.04481046), (72, 1.00287084, None)],
)
def test_heun_on_the_karras_grid(steps, quarter, unit, marginal):
    process = Process(Karras(), marginal)
    z, denoiser = (
        process.prior_sample(video([1.0, 1.0])),
        gaussian(process, 0.0, video([0.25, 1.0])),
    )
    out = np.ravel(run(Heun(steps), denoiser, z, process))
    exact = (
        np.ravel(z)
        * [0.5, 1.0]
        / spread(process, np.asarray([0.25, 1.0]), process.schedule(jnp.ones(())))
    )
    assert float(out[0] / exact[0]) == pytest.approx(quarter, abs=6e-9)
    assert unit is None or float(out[1] / exact[1]) == pytest.approx(unit, abs=6e-9)


@pytest.mark.parametrize("solver", [DPMSolver(7), Heun(7), Heun(7, churn=5.0)], ids=str)
def test_the_mean_and_a_point_mass_are_transported_exactly(solver, marginal, basis_noise):
    process = Process(Karras(), marginal)
    alpha, _ = process.alpha_sigma(process.schedule(jnp.ones(())))
    point = run(solver, gaussian(process, 0.7, 0.0), video([-2.0, 5.0]), process)
    np.testing.assert_allclose(point.ravel(), 0.7, rtol=1e-12)
    if not getattr(solver, "churn", 0):
        mean = run(solver, gaussian(process, 0.7, 0.3), 0.7 * alpha * video([1.0]), process)
        assert mean.item() == pytest.approx(0.7, rel=1e-12)


@pytest.mark.parametrize(("steps", "value"), [(8, 0.08223), (32, 0.00899), (256, 0.00027)])
def test_dpm_solver_distance_to_a_mixture(steps, value):
    assert wasserstein(DPMSolver(steps), Process(Cosine())) == pytest.approx(value, abs=6e-6)


@pytest.mark.parametrize(("steps", "value"), [(10, 0.20109), (18, 0.04324), (36, 0.00888)])
def test_heun_distance_to_a_mixture(steps, value):
    assert wasserstein(Heun(steps), Process(Karras(), LinearInterpolant())) == pytest.approx(
        value, abs=6e-6
    )


def test_many_steps_follow_the_exact_flow_of_a_mixture():
    process = Process(Cosine())
    z = video([0.1, 1.0, 2.0, -0.5])
    out = run(DPMSolver(4000), mixture(process), z, process)
    np.testing.assert_allclose(
        out.ravel(), [1.29630428, 2.23761642, 2.84507169, -1.85109609], atol=2e-5
    )


def test_churn_keeps_the_variance(basis_noise):
    process, data, steps = Process(Karras()), 0.25, 128
    z = process.prior_sample(basis(steps + 1))
    out = run(Heun(steps, churn=20.0), gaussian(process, 0.0, data), z, process)
    assert float(jnp.sum(out**2)) == pytest.approx(data, rel=0.01)
    assert float(jnp.sum(out[..., 1:] ** 2)) > 0.1  # new noise replaced the old


def test_churn_acts_between_its_bounds_only():
    process = Process(Karras())
    z, denoiser = process.prior_sample(video([0.4])), gaussian(process, 0.0, 0.25)
    plain = run(Heun(8), denoiser, z, process)
    keys = [jax.random.key(seed, impl="unsafe_rbg") for seed in (0, 1)]
    never = Heun(8, churn=20.0, churn_min=100.0)
    np.testing.assert_allclose(never(keys[0], denoiser, z, process), plain, rtol=1e-12)
    never = Heun(8, churn=20.0, churn_max=0.001)
    np.testing.assert_allclose(never(keys[0], denoiser, z, process), plain, rtol=1e-12)
    some = Heun(8, churn=20.0, churn_max=50.0)
    one, other = (some(key, denoiser, z, process) for key in keys)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(("solver", "number"), [(DPMSolver(5), 5), (Heun(5), 9)], ids=str)
def test_number_of_denoiser_calls(solver, number):
    count, process = [], Process(Karras())

    def counted(z, logsnr):
        jax.debug.callback(lambda: count.append(1))
        return gaussian(process, 0.0, 1.0)(z, logsnr)

    jax.block_until_ready(run(solver, counted, video([1.0]), process))
    jax.effects_barrier()
    assert len(count) == number


@pytest.mark.parametrize("solver", [DPMSolver(8), Heun(8)], ids=str)
def test_float32_stays_float32(solver):
    process = Process(
        Karras() if isinstance(solver, Heun) else RectifiedFlow(), LinearInterpolant()
    )

    def sample():
        z = process.prior_sample(jnp.linspace(-2, 2, 12).reshape(1, 3, 2, 2, 1))
        return run(solver, mixture(process), z, process)

    double = sample()
    with jax.enable_x64(False):
        single = sample()
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, double, atol=1e-4)
