import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import gaussian, run, video

from vdm_jax.diffusion import (
    DDIM,
    Cosine,
    Interval,
    Karras,
    Linspace,
    Oscillating,
    PerFrame,
    Process,
    classifier_free,
)
from vdm_jax.diffusion.grids import logsnr_grid

PROCESS = Process(Cosine())


def cond(z, logsnr):
    return jnp.sin(z) + 0.3


def null(z, logsnr):
    return jnp.cos(3 * z)


def noise(shape=(2, 3, 4, 4, 1)):
    return jax.random.normal(jax.random.key(0), shape)


@pytest.mark.parametrize(
    "weight", [1, 1.0, jnp.ones(()), Interval(9.0, 5.0, 6.0), PerFrame(1.0, 1.0)], ids=str
)
def test_weight_one_is_the_conditional_denoiser_bit_for_bit(weight):
    guided = classifier_free(cond, null, weight, PROCESS)
    np.testing.assert_array_equal(
        guided(noise(), jnp.zeros(())), cond(noise(), jnp.zeros(())), strict=True
    )


@pytest.mark.parametrize("weight", [0.0, 3.0, PerFrame(1.0, 3.0)], ids=str)
def test_equal_denoisers_are_not_changed(weight):
    guided = classifier_free(cond, cond, weight, PROCESS)
    np.testing.assert_array_equal(guided(noise(), jnp.zeros(())), cond(noise(), jnp.zeros(())))


def test_weight_zero_is_the_unconditional_denoiser(float64):
    guided = classifier_free(cond, null, 0.0, PROCESS)
    np.testing.assert_allclose(
        guided(noise(), jnp.zeros(())), null(noise(), jnp.zeros(())), atol=1e-14
    )


def test_a_weight_per_example(float64):
    guided = classifier_free(cond, null, jnp.asarray([1.0, 4.0]), PROCESS)(noise(), jnp.zeros(2))
    for i, weight in enumerate([1.0, 4.0]):
        alone = classifier_free(cond, null, weight, PROCESS)(noise()[i : i + 1], jnp.zeros(()))
        np.testing.assert_allclose(guided[i : i + 1], alone, atol=1e-14)


def test_per_frame_is_linear_from_the_first_frame_to_the_last(float64):
    guided = classifier_free(cond, null, PerFrame(1.0, 3.0), PROCESS)(noise(), jnp.zeros(()))
    for f, weight in enumerate([1.0, 2.0, 3.0]):
        frame = noise()[:, f : f + 1]
        alone = classifier_free(cond, null, weight, PROCESS)(frame, jnp.zeros(()))
        np.testing.assert_allclose(guided[:, f : f + 1], alone, atol=1e-14)


def weights(weight, process, grid, steps):
    """The weight at every logsnr of a grid, including its end, and at the second logsnr alone."""

    def run():
        logsnr, _ = logsnr_grid(process, grid, steps, 1.0, 0.0)
        return weight(logsnr, process, 1), weight(logsnr[1], process, 1)

    return jax.device_get(jax.jit(run)())


@pytest.mark.parametrize("schedule", [Cosine(), Karras()], ids=str)
@pytest.mark.parametrize(
    ("steps", "pattern"),
    [(8, [15, 1] * 4), (20, [15] + [15, 1] * 9 + [15])],
)
def test_oscillation_follows_the_steps_of_the_sampler(schedule, steps, pattern):
    process = Process(schedule)
    for grid in ({}, {"grid": Linspace()}):
        weight = Oscillating(15.0, 1.0, steps, **grid)
        values, second = weights(weight, process, DDIM(steps, **grid).grid, steps)
        assert list(values[:-1]) == pattern
        assert float(second) == pattern[1]


def test_oscillation_starts_at_first_and_is_constant_when_high_equals_low():
    late = Oscillating(15.0, 1.0, 6, first=3, grid=Linspace())
    values, _ = weights(late, PROCESS, Linspace(), 6)
    assert list(values[:-1]) == [15, 15, 15, 1, 15, 1]
    values, _ = weights(Oscillating(6.0, 6.0, 6), PROCESS, Linspace(), 6)
    assert set(values) == {6}


def test_interval_is_off_outside():
    weights = Interval(7.0, -2.0, 3.0)(jnp.asarray([-5.0, -2.0, 0.0, 3.0, 4.0]), PROCESS, 1)
    assert list(weights) == [1, 7, 7, 7, 1]
    with pytest.raises(ValueError, match=r"logsnr_min=3.0.*logsnr_max=-2.0"):
        Interval(7.0, 3.0, -2.0)


@pytest.mark.parametrize(
    ("weight", "mean", "std"), [(2.0, 1.37977, 0.2476), (3.0, 1.49857, 0.12305)]
)
def test_guided_flow_of_gaussians(weight, mean, std, float64):
    """x | c ~ N(c, 1/4), c ~ N(0, 3/4), c = 1. The guided flow is not the tilted density."""
    guided = classifier_free(
        gaussian(PROCESS, 1.0, 0.25), gaussian(PROCESS, 0.0, 1.0), weight, PROCESS
    )
    at_0, at_1 = np.ravel(run(DDIM(256), guided, video([0.0, 1.0]), PROCESS))
    assert at_0 == pytest.approx(mean, abs=5e-6)
    assert at_1 - at_0 == pytest.approx(std, abs=5e-6)
