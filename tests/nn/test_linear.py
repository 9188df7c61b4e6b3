"""Convolutions: their own gradients equal those that JAX derives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arbitrary import normal, parameters

from vdm_jax.nn import nearest_upsample
from vdm_jax.nn.linear import convolution


def with_gradients(f, weights, variables, x):
    """The output, and the gradients of its weighted sum of sines."""

    def loss(variables, x):
        y = f(variables, x)
        return jnp.sum(weights * jnp.sin(y)), y

    both = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))
    (_, y), gradients = both(variables, x)
    return y, gradients


@pytest.mark.parametrize("size", [1, 3, 5])
def test_gradients_of_a_convolution_equal_those_of_its_definition(size):
    x, module = normal(2, 3, 6, 5, 4), convolution(7, size)
    variables = parameters(module, x)
    reach = size // 2

    def by_definition(variables, x):
        """The sum over the pixels around an output pixel, times the kernel's matrices."""
        kernel, bias = variables["params"]["kernel"], variables["params"]["bias"]
        wide = jnp.pad(x, ((0, 0), (0, 0), (reach, reach), (reach, reach), (0, 0)))
        y = sum(
            wide[:, :, i : i + x.shape[2], j : j + x.shape[3]] @ kernel[i, j]
            for i in range(size)
            for j in range(size)
        )
        return y + bias.reshape(1, 1, 1, 1, -1)

    weights = normal(2, 3, 6, 5, 7, seed=1)
    outcomes = [with_gradients(f, weights, variables, x) for f in (module.apply, by_definition)]
    assert all(y.shape == weights.shape for y, _ in outcomes)
    (_, ours), (_, theirs) = outcomes
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), ours, theirs)


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("times", [(2, 2), (1, 2), (3, 2)], ids=str)
def test_upsampling_convolution_equals_upsampling_then_convolution(times, size):
    x, weights = normal(2, 2, 4, 5, 4), normal(2, 2, 4 * times[0], 5 * times[1], 7, seed=1)
    ours, plain = convolution(7, size, times=times), convolution(7, size)
    variables = parameters(ours, x)

    def after(variables, x):
        return plain.apply(variables, nearest_upsample(x, (1, *times)))

    (y, gradients), (z, expected) = (
        with_gradients(f, weights, variables, x) for f in (ours.apply, after)
    )
    np.testing.assert_allclose(y, z, atol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=5e-5), gradients, expected)


def test_even_kernels_raise():
    with pytest.raises(ValueError, match=r"odd kernels.*\(2, 2\)"):
        convolution(3, 2).init(jax.random.key(0), normal(1, 1, 4, 4, 3))


def test_stride_with_times_raises():
    with pytest.raises(ValueError, match=r"stride of \(2, 2\) or repeats \(1, 2\), not both"):
        convolution(3, stride=(2, 2), times=(1, 2))
