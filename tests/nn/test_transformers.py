"""Transformers, and the residual blocks and convolutions of `LatentLevel`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arbitrary import normal, parameters

from vdm_jax.models import Conditioning
from vdm_jax.nn import (
    AdditiveBlock,
    CrossAttention,
    DownsampleConv,
    GatedFeedForward,
    SelfAttention,
    Transformer,
    UpsampleConv,
    nearest_upsample,
)

B, F, H, W, C = 2, 3, 2, 4, 8
h, emb = normal(B, F, H, W, C), normal(B, 1, 6)
text, mask = normal(B, 3, 6), jnp.array([[True, True, False], [True, False, False]])
cond = Conditioning(text=text, text_mask=mask)
layers = (SelfAttention(head_dim=4), CrossAttention(head_dim=4), GatedFeedForward(expansion=2))
apply = jax.jit(lambda module, variables, *args: module.apply(variables, *args), static_argnums=0)


def mix(module, h, cond=cond, emb=emb):
    return apply(module, parameters(module, h, emb, cond), h, emb, cond)


def test_a_new_transformer_is_the_identity():
    module = Transformer(layers)
    new = jax.jit(lambda key: module.init_with_output(key, h, emb, cond)[0])(jax.random.key(0))
    np.testing.assert_array_equal(new, h)
    assert float(abs(mix(module, h) - h).max()) > 0.1


@pytest.mark.parametrize("module", [*layers, Transformer(layers)], ids=lambda m: type(m).__name__)
def test_frames_are_independent(module):
    order = np.array([2, 0, 1])
    np.testing.assert_allclose(mix(module, h)[:, order], mix(module, h[:, order]), atol=1e-5)
    other = h.at[:, 1:].set(7.0)
    np.testing.assert_allclose(mix(module, h)[:, 0], mix(module, other)[:, 0], atol=1e-6)


@pytest.mark.parametrize("module", [*layers, Transformer(layers)], ids=lambda m: type(m).__name__)
def test_a_pack_of_images_equals_single_images(module):
    text_of_images = normal(B, F, 3, 6, seed=1)
    real = jnp.broadcast_to(mask[:, None], (B, F, 3))
    segments = jnp.broadcast_to(jnp.arange(F)[None], (B, F))
    packed = mix(module, h, Conditioning(text=text_of_images, text_mask=real, segments=segments))
    one_by_one = Conditioning(
        text=text_of_images.reshape(B * F, 3, 6), text_mask=real.reshape(B * F, 3)
    )
    embs = jnp.repeat(emb, F, axis=0)
    alone = mix(module, h.reshape(B * F, 1, H, W, C), one_by_one, embs)
    np.testing.assert_allclose(packed, alone.reshape(h.shape), atol=1e-5)


def test_masked_tokens_have_no_effect():
    layer = CrossAttention(head_dim=4)
    other = Conditioning(text=jnp.where(mask[..., None], text, 9.0), text_mask=mask)
    np.testing.assert_array_equal(mix(layer, h), mix(layer, h, other))
    empty = mix(layer, h, Conditioning(text=text, text_mask=mask & False))
    bias = parameters(layer, h, emb, cond)["params"]["out"]["bias"]
    np.testing.assert_allclose(empty - h, jnp.broadcast_to(bias, h.shape), atol=1e-6)


def center(module, h):
    """Parameters of a convolution that returns the middle of its window."""
    (name,) = jax.eval_shape(module.init, jax.random.key(0), h)["params"]
    kernel = jnp.zeros((3, 3, C, C)).at[1, 1].set(jnp.eye(C))
    return {"params": {name: {"kernel": kernel, "bias": jnp.zeros(C)}}}


def test_alignment_of_downsampling_and_upsampling_convolutions():
    for before in (0, 1):
        downsample = DownsampleConv(before)
        out = downsample.apply(center(downsample, h), h)
        np.testing.assert_array_equal(out, h[:, :, 1 - before :: 2, 1 - before :: 2])
    upsample = UpsampleConv()
    out = upsample.apply(center(upsample, h), h)
    np.testing.assert_array_equal(out, nearest_upsample(h, (1, 2, 2)))
    with pytest.raises(ValueError, match="feature map of 2x3 cannot be halved"):
        parameters(DownsampleConv(), h[:, :, :, :3])


def test_a_new_block_is_the_identity():
    def new(key):
        return AdditiveBlock(C).init_with_output(key, h, emb)[0]

    np.testing.assert_array_equal(jax.jit(new)(jax.random.key(0)), h)
    assert AdditiveBlock(12).apply(parameters(AdditiveBlock(12), h), h).shape == (B, F, H, W, 12)


def test_the_embedding_of_a_frame_affects_only_that_frame():
    # With one channel per group, the norm would remove a shift.
    block, frames = AdditiveBlock(64), normal(B, F, 6)
    variables = parameters(block, h, frames)
    after = block.apply(variables, h, frames.at[:, 1].set(0.0))
    changed = abs(after - block.apply(variables, h, frames)).max(axis=(0, 2, 3, 4))
    np.testing.assert_array_equal(changed > 1e-3, [False, True, False])
