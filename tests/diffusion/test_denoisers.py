import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import video

from vdm_jax.diffusion import (
    EDM,
    Clip,
    Cosine,
    DynamicThreshold,
    Eps,
    Process,
    V,
    Velocity,
    X,
    from_network,
)

VALUES = [-3.0, -1.0, 0.0, 0.5, 2.0]


def identity(z, logsnr):
    return z


@pytest.mark.parametrize("parameterization", [X(), Eps(), V(), Velocity(), EDM()], ids=str)
def test_a_network_that_hits_its_target_gives_x(parameterization, marginal):
    process = Process(Cosine(), marginal, parameterization)
    x, eps = jax.random.normal(jax.random.key(0), (2, 2, 3, 4, 4, 1))
    logsnr = jnp.asarray([0.5, -1.0])
    z = process.diffuse(x, logsnr, eps)

    def network(network_input, network_logsnr):
        np.testing.assert_array_equal(network_input, process.input(z, logsnr))
        return process.output(x, z, network_logsnr)

    np.testing.assert_allclose(from_network(network, process)(z, logsnr), x, atol=5e-6)


def test_arithmetic_is_float32_and_logsnr_is_one_per_batch_element():
    process = Process(Cosine(), parameterization=V())

    def network(z, logsnr):
        assert logsnr.shape == (2,)
        return jnp.zeros(z.shape, jnp.bfloat16)

    x_hat = from_network(network, process)(jnp.ones((2, 1, 1, 1, 1)), jnp.asarray(0.3))
    assert x_hat.dtype == jnp.float32
    np.testing.assert_allclose(x_hat, np.sqrt(1 / (1 + np.exp(-0.3))), rtol=1e-6)


def test_clip():
    np.testing.assert_array_equal(
        Clip()(identity)(video(VALUES), jnp.zeros(())).ravel(), [-1, -1, 0, 0.5, 1]
    )


@pytest.mark.parametrize(
    ("percentile", "expected"),
    [
        (100.0, [-1, -1 / 3, 0, 1 / 6, 2 / 3]),
        (80.0, [-1, -0.454545, 0, 0.227273, 0.909091]),
        (50.0, [-1, -1, 0, 0.5, 1]),
        (99.5, np.asarray([-2.98, -1, 0, 0.5, 2]) / 2.98),
    ],
)
def test_dynamic_threshold_values(percentile, expected):
    x_hat = DynamicThreshold(percentile)(identity)(video(VALUES), jnp.zeros(()))
    np.testing.assert_allclose(x_hat.ravel(), expected, atol=1e-6)


def test_dynamic_threshold_leaves_values_in_range_unchanged():
    z = jax.random.uniform(jax.random.key(0), (2, 3, 4, 4, 3), minval=-1, maxval=1)
    np.testing.assert_array_equal(DynamicThreshold()(identity)(z, jnp.zeros(())), z)


def test_dynamic_threshold_has_one_scale_per_batch_element_for_all_frames():
    z = jax.random.normal(jax.random.key(0), (2, 3, 4, 4, 3)) * jnp.asarray([9.0, 0.1]).reshape(
        2, 1, 1, 1, 1
    )
    threshold = DynamicThreshold(100.0)(identity)
    together = threshold(z, jnp.zeros(()))
    for i in range(2):
        alone = threshold(z[i : i + 1], jnp.zeros(()))
        np.testing.assert_array_equal(together[i : i + 1], alone)
    scale = np.asarray(z[0]) / np.asarray(together[0])
    np.testing.assert_allclose(scale, scale[0, 0, 0, 0], rtol=1e-5)
    assert np.max(np.abs(together)) <= 1


def test_percentile_is_a_percentage():
    with pytest.raises(ValueError, match="percentile=995"):
        DynamicThreshold(995)
