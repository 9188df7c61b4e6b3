import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arbitrary import normal, parameters

from vdm_jax.nn import GroupNorm

h = 3.0 * normal(2, 3, 4, 4, 12) + 5.0
fresh = {"params": {"scale": jnp.ones(12), "bias": jnp.zeros(12)}}


@jax.jit
def normalize(variables, h, modulation=None):
    return GroupNorm(groups=8).apply(variables, h, modulation)


def test_every_group_of_every_frame_has_mean_0_and_variance_1():
    y = np.asarray(normalize(fresh, h)).reshape(2, 3, 16, 4, 3)  # gcd(8, 12) = 4 groups of 3
    np.testing.assert_allclose(y.mean(axis=(2, 4)), 0, atol=1e-6)
    np.testing.assert_allclose(y.var(axis=(2, 4)), 1, atol=1e-5)


def test_the_scale_of_the_input_does_not_matter():
    np.testing.assert_allclose(normalize(fresh, h), normalize(fresh, 7 * h - 30), atol=1e-4)


def test_frames_are_normalized_independently():
    others = h.at[:, 1:].mul(-2.0)
    np.testing.assert_array_equal(normalize(fresh, h)[:, 0], normalize(fresh, others)[:, 0])


def test_scale_and_bias_then_modulation():
    variables = parameters(GroupNorm(groups=8), h)
    scale, bias = variables["params"]["scale"], variables["params"]["bias"]
    axes = (1, 1, 1, 1, 12)
    plain = normalize(variables, h)
    expected = normalize(fresh, h) * scale.reshape(axes) + bias.reshape(axes)
    np.testing.assert_allclose(plain, expected, atol=1e-5)

    a, b = normal(2, 3, 12), normal(2, 1, 12, seed=1)  # one per frame, and one for all frames
    expected = plain * (1 + a[:, :, None, None]) + b[:, :, None, None]
    np.testing.assert_allclose(normalize(variables, h, (a, b)), expected, atol=2e-5)


def test_a_constant_frame_gives_the_bias():
    flat = jnp.full((1, 1, 4, 4, 12), 3.0)
    np.testing.assert_allclose(normalize(fresh, flat), 0, atol=1e-3)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_the_dtype_is_kept(dtype):
    assert normalize(fresh, h.astype(dtype)).dtype == dtype
