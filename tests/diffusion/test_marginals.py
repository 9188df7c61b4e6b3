import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdm_jax import diffusion

LOGSNR = np.linspace(-20, 20, 81)


def test_alpha_and_sigma_have_the_ratio_of_the_logsnr(marginal, float64):
    alpha, sigma = marginal.alpha_sigma(jnp.asarray(LOGSNR))
    np.testing.assert_allclose(2 * (np.log(alpha) - np.log(sigma)), LOGSNR, atol=1e-12)


def test_float32_keeps_relative_precision_at_both_ends(marginal):
    single = marginal.alpha_sigma(jnp.asarray(LOGSNR, jnp.float32))
    with jax.enable_x64(True):
        double = marginal.alpha_sigma(jnp.asarray(LOGSNR, jnp.float32).astype(jnp.float64))
    for a, b in zip(single, double, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_each_marginal_has_its_defining_property(float64):
    alpha, sigma = diffusion.VariancePreserving().alpha_sigma(jnp.asarray(LOGSNR))
    np.testing.assert_allclose(alpha**2 + sigma**2, 1, rtol=1e-14)
    alpha, sigma = diffusion.LinearInterpolant().alpha_sigma(jnp.asarray(LOGSNR))
    np.testing.assert_allclose(alpha + sigma, 1, rtol=1e-14)
    alpha, sigma = diffusion.VarianceExploding().alpha_sigma(jnp.asarray(LOGSNR))
    np.testing.assert_array_equal(alpha, 1)


def test_expand_appends_axes_and_nothing_else():
    like = jnp.zeros((2, 3, 4, 5, 6))
    assert diffusion.expand(jnp.zeros(()), like).shape == (1, 1, 1, 1, 1)
    assert diffusion.expand(jnp.zeros(2), like).shape == (2, 1, 1, 1, 1)
    assert diffusion.expand(jnp.zeros((2, 3)), like).shape == (2, 3, 1, 1, 1)
    assert diffusion.expand(jnp.zeros((1, 3)), like).shape == (1, 3, 1, 1, 1)


@pytest.mark.parametrize("shape", [(3,), (2, 2), (2, 3, 4, 5, 6, 1)])
def test_expand_rejects_shapes_that_do_not_match(shape):
    with pytest.raises(ValueError, match=r"2, 3, 4, 5, 6") as error:
        diffusion.expand(jnp.zeros(shape), jnp.zeros((2, 3, 4, 5, 6)))
    assert str(shape) in str(error.value)
