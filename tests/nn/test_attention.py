import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arbitrary import normal
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped

from vdm_jax.nn import CuDNN, DotProduct, Sliced, attend, attend_linearly, same_clip

B, N, M, K, D = 2, 3, 5, 2, 4
q, key, value = normal(B, K, N, D), normal(B, K, M, D, seed=1), normal(B, K, M, D, seed=2)


def test_equal_scores_read_the_mean():
    out = attend(jnp.zeros_like(q), key, value)
    np.testing.assert_allclose(
        out, jnp.broadcast_to(value.mean(2, keepdims=True), out.shape), atol=1e-6
    )


def test_a_large_bias_reads_one_key():
    bias = 1e4 * jnp.eye(M)[np.array([4, 0, 2])][None, None]
    np.testing.assert_allclose(attend(q, key, value, bias=bias), value[:, :, [4, 0, 2]], atol=1e-6)


def test_keys_are_a_set():
    order = np.array([3, 1, 4, 0, 2])
    shuffled = attend(q, key[:, :, order], value[:, :, order])
    np.testing.assert_allclose(attend(q, key, value), shuffled, atol=1e-6)


def test_masked_keys_are_as_if_absent():
    mask = jnp.array([True, True, False, True, False])[None, None, None]
    kept = np.array([0, 1, 3])
    masked = attend(q, key, value, mask)
    np.testing.assert_allclose(masked, attend(q, key[:, :, kept], value[:, :, kept]), atol=1e-6)


def test_a_summary_of_equal_tokens_is_their_value():
    """Both kinds of attention read weighted means: of equal values, the value itself."""
    same = jnp.broadcast_to(value[:, :, :1], value.shape)
    expected = jnp.broadcast_to(value[:, :, :1], q.shape)
    np.testing.assert_allclose(attend(q, key, same), expected, atol=1e-6)
    np.testing.assert_allclose(attend_linearly(q, key, same), expected, atol=1e-6)


def test_linear_attention_reads_weighted_means():
    shares = attend_linearly(q, key, jnp.broadcast_to(jnp.eye(M)[None, None], (B, K, M, M)))
    np.testing.assert_allclose(shares.sum(-1), 1, atol=1e-6)
    np.testing.assert_allclose(attend_linearly(q, key, value), shares @ value, atol=1e-6)
    flat = attend_linearly(q, jnp.zeros_like(key), value)
    np.testing.assert_allclose(
        flat, jnp.broadcast_to(value.mean(2, keepdims=True), q.shape), atol=1e-6
    )


def test_heads_do_not_meet():
    other = value.at[:, 1].set(0.0)
    out, changed = attend(q, key, value), attend(q, key, other)
    np.testing.assert_array_equal(out[:, 0], changed[:, 0])
    np.testing.assert_array_equal(changed[:, 1], 0.0)


def test_half_precision_in_and_out():
    out = attend(*(a.astype(jnp.bfloat16) for a in (q, key, value)))
    assert out.dtype == jnp.bfloat16
    np.testing.assert_allclose(out.astype(jnp.float32), attend(q, key, value), atol=3e-2)


def test_shapes_are_checked():
    checked = jaxtyped(typechecker=beartype)(attend)
    assert checked(q, key, value).shape == q.shape
    with pytest.raises(TypeCheckError, match="value"):
        checked(q, key, value[:, :, 1:])


def test_frames_see_their_own_clip():
    mask = same_clip(jnp.array([[0, 0, 1, 2]]))
    block = [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    np.testing.assert_array_equal(mask[0], np.array(block, bool))


def test_frames_at_once_read_what_attention_reads():
    parts = [5 * normal(2, 2, 3, 7, 4, seed=seed) for seed in range(3)]

    def pulled(read):
        out, pull = jax.vjp(read, *parts)
        return out, *pull(jnp.sin(out))

    found, wanted = jax.jit(lambda: [pulled(read) for read in (DotProduct(), attend)])()
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_frame_by_frame_is_the_same_and_keeps_no_shares():
    parts = [normal(1, 3, 1, 16, 2, seed=seed) for seed in range(3)]

    def pulled(read):
        @jax.jit
        def backwards(*parts):
            out, pull = jax.vjp(read, *parts)
            return (out, *pull(jnp.sin(out))), pull

        found, pull = backwards(*parts)
        return *found, sum(x.size for x in jax.tree.leaves(pull))

    *whole, all_shares = pulled(DotProduct())
    *framed, kept = pulled(Sliced())
    for a, b in zip(whole, framed, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert kept <= 4 * parts[0].size < 3 * 16 * 16 < all_shares


def test_cudnn_reads_the_same():
    if jax.default_backend() != "gpu":
        pytest.skip("there is no NVIDIA GPU: JAX_PLATFORMS=cuda asks for one")
    parts = [normal(2, 3, 4, 256, 64, seed=seed).astype(jnp.bfloat16) for seed in range(3)]

    def pulled(read):
        out, pull = jax.vjp(read, *parts)
        return out, *pull(jnp.sin(out))

    for a, b in zip(pulled(DotProduct()), pulled(CuDNN()), strict=True):
        a, b = (np.asarray(x, np.float32) for x in (a, b))
        np.testing.assert_allclose(a, b, atol=0.02 * np.abs(a).max())
