"""What mixes with what in each kind of layer, whatever its parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arbitrary import normal, parameters

from vdm_jax.models import Conditioning
from vdm_jax.nn import (
    FeedForward,
    LinearSpatialAttention,
    SpatialAttention,
    TemporalAttention,
    TemporalConvolution,
    TextAttention,
)

B, F, H, W, C = 2, 5, 2, 3, 8
h, emb = normal(B, F, H, W, C), normal(B, F, 4)
text, mask = normal(B, 3, 6), jnp.array([[True, True, False], [True, False, False]])
captions = Conditioning(text=text, text_mask=mask)
space, time = SpatialAttention(head_dim=4), TemporalAttention(head_dim=4)
linear, near = LinearSpatialAttention(head_dim=4), TemporalConvolution()
order = np.array([3, 1, 4, 0, 2])
apply = jax.jit(lambda module, variables, *args: module.apply(variables, *args), static_argnums=0)


def mix(module, h, cond=captions, emb=emb):
    return apply(module, parameters(module, h, emb, cond), h, emb, cond)


@pytest.mark.parametrize(
    "module",
    [space, linear, time, near, TextAttention(head_dim=4), FeedForward()],
    ids=lambda m: type(m).__name__,
)
def test_a_new_layer_changes_nothing(module):
    def init_and_apply(key):
        return module.init_with_output(key, h, emb, captions)[0]

    np.testing.assert_array_equal(jax.jit(init_and_apply)(jax.random.key(0)), h)
    assert float(abs(mix(module, h) - h).max()) > 0.1  # it can learn to change something


@pytest.mark.parametrize("module", [space, linear, FeedForward()], ids=lambda m: type(m).__name__)
def test_frames_are_a_batch_in_space(module):
    np.testing.assert_allclose(mix(module, h)[:, order], mix(module, h[:, order]), atol=1e-5)
    other = h.at[:, 1:].set(7.0)
    np.testing.assert_array_equal(mix(module, h)[:, 0], mix(module, other)[:, 0])


@pytest.mark.parametrize("module", [space, linear], ids=lambda m: type(m).__name__)
def test_positions_in_space_are_a_set(module):
    np.testing.assert_allclose(mix(module, h)[:, :, ::-1], mix(module, h[:, :, ::-1]), atol=1e-5)


@pytest.mark.parametrize("module", [time, near], ids=lambda m: type(m).__name__)
def test_space_is_a_batch_in_time(module):
    turned = h[:, :, ::-1, ::-1]
    np.testing.assert_allclose(mix(module, h)[:, :, ::-1, ::-1], mix(module, turned), atol=1e-5)


def test_a_static_clip_stays_static():
    still = jnp.broadcast_to(h[:, :1], h.shape)
    out = mix(time, still)
    np.testing.assert_allclose(out, jnp.broadcast_to(out[:, :1], out.shape), atol=1e-6)


def test_only_positions_order_the_frames():
    timeless = TemporalAttention(head_dim=4, positions=None)
    np.testing.assert_allclose(mix(timeless, h)[:, order], mix(timeless, h[:, order]), atol=1e-5)
    assert float(abs(mix(time, h)[:, order] - mix(time, h[:, order])).max()) > 1e-2


def test_time_is_relative():
    """The same three frames at the start and at the end of a row of strangers."""
    early = h.at[:, 3:].set(normal(B, 2, H, W, C, seed=1))
    late = jnp.concatenate([early[:, 3:], early[:, :3]], axis=1)
    first = mix(time, early, Conditioning(segments=jnp.array([[0, 0, 0, 1, 2]] * B)))
    last = mix(time, late, Conditioning(segments=jnp.array([[1, 2, 0, 0, 0]] * B)))
    np.testing.assert_allclose(first[:, :3], last[:, 2:], atol=1e-5)


@pytest.mark.parametrize("module", [time, near], ids=lambda m: type(m).__name__)
def test_clips_of_a_row_do_not_meet(module):
    segments = jnp.array([[0, 0, 0, 1, 2]] * B)
    cond = Conditioning(segments=segments)
    variables = parameters(module, h, emb, cond)

    @jax.jit
    def gradient(h, frame):
        def power(h):
            return jnp.square(module.apply(variables, h, emb, cond)[:, frame]).sum()

        return jax.grad(power)(h)

    for frame in range(F):
        reads = np.asarray(abs(gradient(h, frame)).max(axis=(0, 2, 3, 4)))
        reach = np.abs(np.arange(F) - frame) <= (1 if module is near else F)
        np.testing.assert_array_equal(reads > 0, reach & (segments[0] == segments[0, frame]))


@pytest.mark.parametrize("module", [time, near], ids=lambda m: type(m).__name__)
def test_a_pack_of_images_is_each_image_alone(module):
    pack = Conditioning(segments=jnp.broadcast_to(jnp.arange(F)[None], (B, F)))
    alone = mix(module, h.reshape(B * F, 1, H, W, C), Conditioning(), emb.reshape(B * F, 1, -1))
    np.testing.assert_allclose(mix(module, h, pack), alone.reshape(h.shape), atol=1e-5)


def test_images_pass_a_temporal_convolution_by():
    pack = Conditioning(segments=jnp.broadcast_to(jnp.arange(F)[None], (B, F)))
    np.testing.assert_array_equal(mix(near, h, pack), h)


def test_a_temporal_convolution_is_that_of_the_frames():
    variables = parameters(near, h, emb, captions)
    own = {**variables["params"], "norm": {"scale": jnp.ones(C), "bias": jnp.zeros(C)}}
    still = jnp.broadcast_to(h[:, :1], h.shape)
    out = apply(near, {"params": own}, still, emb, captions)
    np.testing.assert_allclose(out[:, 1:-1], jnp.broadcast_to(out[:, 1:2], out[:, 1:-1].shape))
    assert float(abs(out[:, 0] - out[:, 1]).max()) > 1e-2  # beyond the ends there is nothing
    late = jnp.pad(h, [(0, 0), (1, 0), (0, 0), (0, 0), (0, 0)])
    later = apply(near, variables, late, emb, captions)
    first = apply(near, variables, h, emb, captions)
    np.testing.assert_allclose(later[:, 2:], first[:, 1:], atol=1e-5)


def test_masked_tokens_are_not_read():
    other = Conditioning(text=jnp.where(mask[..., None], text, 9.0), text_mask=mask)
    reader = TextAttention(head_dim=4)
    np.testing.assert_array_equal(mix(reader, h), mix(reader, h, other))


def test_without_a_caption_nothing_is_read():
    reader, silent = (
        TextAttention(head_dim=4),
        Conditioning(text=text, text_mask=mask.at[1].set(False)),
    )
    read, half = mix(reader, h), mix(reader, h, silent)
    np.testing.assert_array_equal(half[0], read[0])
    bias = parameters(reader, h, emb, captions)["params"]["out"]["bias"]
    np.testing.assert_allclose(half[1] - h[1], jnp.broadcast_to(bias, h[1].shape), atol=1e-6)


def test_clips_of_a_row_read_their_own_captions():
    reader, words = TextAttention(head_dim=4), normal(B, F, 3, 6, seed=1)
    real = jnp.arange(3)[None, None] < jnp.arange(1, F + 1)[None, :, None] % 4
    real = jnp.broadcast_to(real, words.shape[:-1])
    segments = jnp.broadcast_to(jnp.arange(F)[None], (B, F))
    packed = mix(reader, h, Conditioning(text=words, text_mask=real, segments=segments))
    rows = Conditioning(text=words.reshape(B * F, 3, 6), text_mask=real.reshape(B * F, 3))
    alone = mix(reader, h.reshape(B * F, 1, H, W, C), rows, emb.reshape(B * F, 1, -1))
    np.testing.assert_allclose(packed, alone.reshape(h.shape), atol=1e-5)


@pytest.mark.parametrize(
    "module",
    [SpatialAttention(3), LinearSpatialAttention(3), TemporalAttention(3), TextAttention(3)],
    ids=lambda m: type(m).__name__,
)
def test_indivisible_heads_are_named(module):
    with pytest.raises(ValueError, match=rf"{type(module).__name__}: 8 channels .* 3 features"):
        parameters(module, h, emb, captions)
