import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from vdm_jax.diffusion import (
    Cosine,
    Discrete,
    LogitNormal,
    LogNormal,
    RectifiedFlow,
    Stratified,
    Uniform,
)

KEY = jax.random.key(0)


def test_uniform_in_t():
    t = Cosine().inverse(Uniform()(KEY, (20000,), Cosine()))
    assert stats.kstest(np.asarray(t, np.float64), "uniform").pvalue > 1e-3


def test_stratified_draws_every_stratum_once():
    t = Cosine().inverse(Stratified()(KEY, (16, 3), Cosine()))
    assert t.shape == (16, 3)
    for column in np.asarray(t).T:
        assert sorted(np.floor(column * 16 - np.min(column * 16) + 1e-3)) == list(range(16))
    offsets = np.min(np.asarray(t), axis=0)
    assert len(set(np.round(offsets, 4))) == 3


def test_stratified_is_uniform_for_each_batch_element():
    draw = jax.vmap(lambda key: Stratified()(key, (4,), Cosine()))
    t = Cosine().inverse(draw(jax.random.split(KEY, 4000)))
    for element in np.asarray(t, np.float64).T:
        assert stats.kstest(element, "uniform").pvalue > 1e-3


def test_discrete_draws_the_times_of_a_sampler():
    t = Cosine().inverse(Discrete(4)(KEY, (400,), Cosine()))
    assert set(np.round(np.asarray(t), 5)) == {0.25, 0.5, 0.75, 1.0}


def test_log_normal_is_normal_in_logsnr_for_any_schedule():
    logsnr = LogNormal(1.0, 1.6)(KEY, (20000,), RectifiedFlow())
    np.testing.assert_array_equal(logsnr, LogNormal(1.0, 1.6)(KEY, (20000,), Cosine()))
    assert stats.kstest(np.asarray(logsnr, np.float64), stats.norm(-2.0, 3.2).cdf).pvalue > 1e-3


def test_logit_normal_is_normal_in_logsnr_on_the_linear_path():
    logsnr = LogitNormal(0.5, 0.8)(KEY, (20000,), RectifiedFlow(-40.0, 40.0))
    assert stats.kstest(np.asarray(logsnr, np.float64), stats.norm(-1.0, 1.6).cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    "times", [Uniform(), Stratified(), Discrete(8), LogNormal(), LogitNormal()], ids=str
)
def test_draws_are_finite_float32_of_the_given_shape(times):
    logsnr = times(KEY, (8, 5), Cosine())
    assert logsnr.shape == (8, 5) and logsnr.dtype == jnp.float32
    assert np.all(np.isfinite(logsnr))


def test_invalid_times_are_rejected():
    with pytest.raises(ValueError, match=r"shape=\(\)"):
        Stratified()(KEY, (), Cosine())
    with pytest.raises(ValueError, match="steps=0"):
        Discrete(0)
