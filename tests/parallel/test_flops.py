"""FLOPs of jaxprs, against known programs."""

import jax
import jax.numpy as jnp
import pytest

from vdm_jax.parallel.flops import count_flops


def test_a_multiply_add_counts_two_once_per_trip_of_a_loop():
    a, b = jnp.zeros((3, 5)), jnp.zeros((5, 5))

    def product(x, w):
        return jax.lax.scan(lambda y, _: (y @ w, None), x, length=7)[0]

    assert count_flops(jax.make_jaxpr(product)(a, b)).total == 7 * 2 * 3 * 5 * 5


@pytest.mark.parametrize("stride, size", [(1, 8), (2, 4)])
def test_a_convolution_and_both_of_its_gradients_have_equal_flops(stride, size):
    def convolved(x, kernel):
        return jax.lax.conv_general_dilated(
            x, kernel, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    x, kernel = jnp.zeros((2, 8, 8, 3)), jnp.zeros((3, 3, 3, 6))
    # One of three kernel taps lies on the padding at both ends; with stride 2, at one end.
    taps = {1: 3 * size - 2, 2: 3 * size - 1}[stride]
    once = 2 * 2 * 6 * 3 * taps**2
    assert count_flops(jax.make_jaxpr(convolved)(x, kernel)).total == once
    gradients = jax.grad(lambda *a: (convolved(*a) ** 2).sum(), (0, 1))
    assert count_flops(jax.make_jaxpr(gradients)(x, kernel)).total == 3 * once


def test_rematerialized_flops_are_counted_separately():
    w = jnp.zeros((4, 4))

    def layers(w, x):
        return jnp.sin(jnp.sin(x @ w) @ w).sum()

    def counted(f):
        return count_flops(jax.make_jaxpr(jax.value_and_grad(f))(w, jnp.zeros((2, 4))))

    plain, remat = counted(layers), counted(jax.checkpoint(layers))
    assert plain.rematerialized == 0
    assert remat.rematerialized > 0
    assert remat.without_remat == plain.total


def test_effects_have_no_flops():
    def printing(x):
        jax.debug.print("{}", x)
        return jax.lax.scan(lambda y, _: (y @ y, None), x, length=2)[0]

    assert count_flops(jax.make_jaxpr(printing)(jnp.zeros((3, 3)))).total == 2 * 2 * 27
