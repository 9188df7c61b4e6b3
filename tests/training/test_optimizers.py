"""Learning rates, averages, and updates of single arrays."""

import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from vdm_jax import training
from vdm_jax.training.optimizers import leafwise


def test_warm_up_then_decay():
    adam = training.Adam(peak=2.0, warmup=10, decay=training.Cosine())
    rate = [float(adam.rate(jnp.asarray(step), 110)) for step in range(111)]
    assert rate[0] == pytest.approx(0.2) and rate[9] == pytest.approx(2.0)
    assert rate[60] == pytest.approx(1.0, rel=1e-5) and rate[110] == pytest.approx(0, abs=1e-6)
    assert all(a > b for a, b in itertools.pairwise(rate[10:]))
    linear = training.Adam(peak=2.0, warmup=0, decay=training.Linear())
    assert float(linear.rate(jnp.asarray(25), 100)) == pytest.approx(1.5)


def test_the_average_is_bias_corrected():
    """The average has the weights of a geometric series, which sum to 1 from the first step."""
    adam = training.Adam(ema=0.9)
    values = np.random.default_rng(0).normal(size=12)
    mean = jnp.asarray(123.0)
    for step, value in enumerate(values):
        mean = adam.average(mean, jnp.asarray(value), jnp.asarray(step))
        weights = 0.9 ** np.arange(step, -1, -1)
        np.testing.assert_allclose(
            mean, (weights * values[: step + 1]).sum() / weights.sum(), rtol=1e-5
        )
    last = training.Adam(ema=0.0).average(mean, jnp.asarray(7.0), jnp.asarray(3))
    assert float(last) == 7.0


@pytest.mark.parametrize("length", [0.5, 3.0])
def test_leafwise_updates_equal_updates_of_the_whole_tree(length):
    """With gradients below and above the clipping norm; each shape is traced once."""
    rng = np.random.default_rng(0)

    def random_tree():
        shapes = {"a": np.empty((3, 4)), "b": {"c": np.empty(5), "d": np.empty((3, 4))}}
        return jax.tree.map(lambda x: np.float32(rng.normal(size=x.shape)), shapes)

    params, grads = random_tree(), random_tree()
    grads = jax.tree.map(lambda g: g * length / optax.global_norm(grads), grads)
    adam = training.Adam(weight_decay=0.1, clip=1.0)
    whole = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(lambda step: adam.rate(step, 10), adam.b1, adam.b2, adam.eps, weight_decay=0.1),
    )
    transform, traced = adam.transform(10, optax.global_norm(grads)), []

    def rule(grad, values):
        traced.append(grad.shape)
        params, moments = values
        update, moments = transform.update(grad, moments, params)
        return optax.apply_updates(params, update), moments

    ours = expected = (params, adam.init(params))
    for _ in range(2):
        ours = leafwise(rule, grads, ours)
        update, moments = whole.update(grads, expected[1], expected[0])
        expected = (optax.apply_updates(expected[0], update), moments)
    chex.assert_trees_all_close(ours, expected, rtol=1e-6)
    assert traced == [(3, 4), (5,)]
