"""Learning rates and averages."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from vdm_jax import training


def test_warm_up_then_decay():
    adam = training.Adam(peak=2.0, warmup=10, decay=training.Cosine())
    rate = [float(adam.rate(jnp.asarray(step), 110)) for step in range(111)]
    assert rate[0] == pytest.approx(0.2) and rate[9] == pytest.approx(2.0)
    assert rate[60] == pytest.approx(1.0, rel=1e-5) and rate[110] == pytest.approx(0, abs=1e-6)
    assert all(a > b for a, b in itertools.pairwise(rate[10:]))
    linear = training.Adam(peak=2.0, warmup=0, decay=training.Linear())
    assert float(linear.rate(jnp.asarray(25), 100)) == pytest.approx(1.5)


def test_the_average_is_bias_corrected():
    """A constant averages to itself from the first step; weights are a geometric series."""
    adam = training.Adam(ema=0.9)
    values = np.random.default_rng(0).normal(size=12)
    mean = jnp.asarray(123.0)
    for step, value in enumerate(values):
        mean = adam.average(mean, jnp.asarray(value), jnp.asarray(step))
        share = 0.9 ** np.arange(step, -1, -1)
        np.testing.assert_allclose(
            mean, (share * values[: step + 1]).sum() / share.sum(), rtol=1e-5
        )
    last = training.Adam(ema=0.0).average(mean, jnp.asarray(7.0), jnp.asarray(3))
    assert float(last) == 7.0
