import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arbitrary import normal
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped

from vdm_jax.nn import CuDNN, DotProduct, Sliced, attend, attend_linearly, same_clip

B, N, M, K, D = 2, 3, 5, 2, 4
q, k, v = normal(B, K, N, D), normal(B, K, M, D, seed=1), normal(B, K, M, D, seed=2)


def test_equal_scores_give_the_mean_value():
    out = attend(jnp.zeros_like(q), k, v)
    np.testing.assert_allclose(
        out, jnp.broadcast_to(v.mean(2, keepdims=True), out.shape), atol=1e-6
    )


def test_a_large_bias_selects_one_key():
    bias = 1e4 * jnp.eye(M)[np.array([4, 0, 2])][None, None]
    np.testing.assert_allclose(attend(q, k, v, bias=bias), v[:, :, [4, 0, 2]], atol=1e-6)


def test_the_order_of_keys_does_not_matter():
    order = np.array([3, 1, 4, 0, 2])
    shuffled = attend(q, k[:, :, order], v[:, :, order])
    np.testing.assert_allclose(attend(q, k, v), shuffled, atol=1e-6)


def test_masked_keys_equal_absent_keys():
    mask = jnp.array([True, True, False, True, False])[None, None, None]
    unmasked = np.array([0, 1, 3])
    masked = attend(q, k, v, mask)
    np.testing.assert_allclose(masked, attend(q, k[:, :, unmasked], v[:, :, unmasked]), atol=1e-6)


def test_equal_values_are_returned():
    """Both kinds of attention give weighted means."""
    same = jnp.broadcast_to(v[:, :, :1], v.shape)
    expected = jnp.broadcast_to(v[:, :, :1], q.shape)
    np.testing.assert_allclose(attend(q, k, same), expected, atol=1e-6)
    np.testing.assert_allclose(attend_linearly(q, k, same), expected, atol=1e-6)


def test_linear_attention_gives_weighted_means():
    weights = attend_linearly(q, k, jnp.broadcast_to(jnp.eye(M)[None, None], (B, K, M, M)))
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-6)
    np.testing.assert_allclose(attend_linearly(q, k, v), weights @ v, atol=1e-6)
    flat = attend_linearly(q, jnp.zeros_like(k), v)
    np.testing.assert_allclose(flat, jnp.broadcast_to(v.mean(2, keepdims=True), q.shape), atol=1e-6)


def test_heads_are_independent():
    other = v.at[:, 1].set(0.0)
    out, changed = attend(q, k, v), attend(q, k, other)
    np.testing.assert_array_equal(out[:, 0], changed[:, 0])
    np.testing.assert_array_equal(changed[:, 1], 0.0)


def test_bfloat16_in_and_out():
    out = attend(*(a.astype(jnp.bfloat16) for a in (q, k, v)))
    assert out.dtype == jnp.bfloat16
    np.testing.assert_allclose(out.astype(jnp.float32), attend(q, k, v), atol=3e-2)


def test_shapes_are_checked():
    checked = jaxtyped(typechecker=beartype)(attend)
    assert checked(q, k, v).shape == q.shape
    with pytest.raises(TypeCheckError, match="parameter 'v'"):
        checked(q, k, v[:, :, 1:])


def test_the_mask_of_segments_is_block_diagonal():
    mask = same_clip(jnp.array([[0, 0, 1, 2]]))
    block = [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    np.testing.assert_array_equal(mask[0], np.array(block, bool))


def test_dot_product_equals_attend():
    qkv = [5 * normal(2, 2, 3, 7, 4, seed=seed) for seed in range(3)]

    def with_gradient(attention):
        out, pull = jax.vjp(attention, *qkv)
        return out, *pull(jnp.sin(out))

    both = (DotProduct(), attend)
    ours, expected = jax.jit(lambda: [with_gradient(attention) for attention in both])()
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_sliced_equals_dot_product_and_saves_no_weights():
    qkv = [normal(1, 3, 1, 16, 2, seed=seed) for seed in range(3)]

    def with_gradient(attention):
        @jax.jit
        def backwards(*qkv):
            out, pull = jax.vjp(attention, *qkv)
            return (out, *pull(jnp.sin(out))), pull

        outputs, pull = backwards(*qkv)
        return *outputs, sum(x.size for x in jax.tree.leaves(pull))

    *whole, all_weights = with_gradient(DotProduct())
    *sliced, saved = with_gradient(Sliced())
    for a, b in zip(whole, sliced, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert saved <= 4 * qkv[0].size < 3 * 16 * 16 < all_weights


def test_cudnn_equals_dot_product():
    if jax.default_backend() != "gpu":
        pytest.skip("there is no NVIDIA GPU: JAX_PLATFORMS=cuda asks for one")
    qkv = [normal(2, 3, 4, 256, 64, seed=seed).astype(jnp.bfloat16) for seed in range(3)]

    def with_gradient(attention):
        out, pull = jax.vjp(attention, *qkv)
        return out, *pull(jnp.sin(out))

    for a, b in zip(with_gradient(DotProduct()), with_gradient(CuDNN()), strict=True):
        a, b = (np.asarray(x, np.float32) for x in (a, b))
        np.testing.assert_allclose(a, b, atol=0.02 * np.abs(a).max())
