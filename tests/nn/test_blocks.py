import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arbitrary import normal, parameters

from vdm_jax.nn import (
    Downsample,
    ResBlock,
    Upsample,
    average_pool,
    convolution,
    depth_to_space,
    nearest_upsample,
    space_to_depth,
)

h, emb = normal(2, 4, 6, 6, 8), normal(2, 4, 5)


@pytest.mark.parametrize("stride", [(1, 2, 2), (2, 1, 3), (4, 6, 6)])
def test_pooling_undoes_upsampling(stride):
    # The mean of 144 equal numbers is exact to a few units in the last place.
    np.testing.assert_allclose(
        average_pool(nearest_upsample(h, stride), stride), h, rtol=1e-6, atol=1e-6
    )


def test_average_pool_is_the_mean_of_blocks():
    ramp = jnp.arange(2.0 * 2 * 4).reshape(1, 2, 2, 4, 1)
    np.testing.assert_allclose(average_pool(ramp, (2, 2, 2)).ravel(), [6.5, 8.5])
    np.testing.assert_allclose(average_pool(h, (4, 6, 6)).squeeze(), h.mean((1, 2, 3)), atol=1e-6)


def test_nearest_upsample_repeats():
    row = jnp.arange(3.0).reshape(1, 1, 1, 3, 1)
    np.testing.assert_array_equal(nearest_upsample(row, (1, 1, 2)).ravel(), [0, 0, 1, 1, 2, 2])
    assert nearest_upsample(h, (2, 3, 1)).shape == (2, 8, 18, 6, 8)


def test_indivisible_sizes_raise():
    with pytest.raises(ValueError, match=r"\(4, 6, 6\).*stride \(1, 4, 4\)"):
        average_pool(h, (1, 4, 4))


def test_depth_to_space_is_the_inverse_of_space_to_depth():
    patched = space_to_depth(h, 3)
    assert patched.shape == (2, 4, 2, 2, 72)
    np.testing.assert_array_equal(depth_to_space(patched, 3), h)
    np.testing.assert_array_equal(patched[0, 0, 1, 0, :8], h[0, 0, 3, 0])
    np.testing.assert_array_equal(patched[0, 0, 1, 0, 8:16], h[0, 0, 3, 1])


def test_a_new_block_is_the_identity():
    def init_and_apply(key):
        return ResBlock(8).init_with_output(key, h, emb)[0]

    np.testing.assert_array_equal(jax.jit(init_and_apply)(jax.random.key(0)), h)


@pytest.mark.parametrize("resample", [Downsample((2, 3, 2)), Upsample((2, 1, 3))], ids=str)
def test_fused_and_separate_resampling_give_the_same_branch(resample):
    plain, repeats = convolution(5), convolution(5, times=resample.times)
    variables = parameters(plain, h)

    @jax.jit
    def both(variables):
        return repeats.apply(variables, resample.before(h)), plain.apply(variables, resample(h))

    branch, expected = both(variables)
    np.testing.assert_allclose(branch, expected, atol=1e-5)


def test_frames_are_independent():
    block = ResBlock(4)
    variables, order = parameters(block, h, emb), np.array([2, 0, 3, 1])
    apply = jax.jit(block.apply)
    permuted = apply(variables, h[:, order], emb[:, order])
    np.testing.assert_allclose(apply(variables, h, emb)[:, order], permuted, atol=1e-5)


def test_one_embedding_applies_to_all_frames():
    block = ResBlock(8)
    variables = parameters(block, h, emb)
    one, all_ = emb[:, :1], jnp.repeat(emb[:, :1], 4, axis=1)
    apply = jax.jit(block.apply)
    np.testing.assert_allclose(apply(variables, h, one), apply(variables, h, all_), atol=1e-5)


def test_dropout_is_on_only_in_training():
    block = ResBlock(8, dropout=0.5)
    variables = parameters(block, h, emb)

    @jax.jit
    def both(key):
        rngs = {"dropout": key}
        train = block.apply(variables, h, emb, train=True, rngs=rngs)
        return train, block.apply(variables, h, emb), ResBlock(8).apply(variables, h, emb)

    train, sampling, plain = both(jax.random.key(0))
    np.testing.assert_array_equal(sampling, plain)
    assert float(abs(train - plain).max()) > 0.1
