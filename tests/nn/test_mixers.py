"""Mixers at arbitrary parameters: which frames, positions and tokens affect which."""

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
linear, conv = LinearSpatialAttention(head_dim=4), TemporalConvolution()
order = np.array([3, 1, 4, 0, 2])
apply = jax.jit(lambda module, variables, *args: module.apply(variables, *args), static_argnums=0)


def mix(module, h, cond=captions, emb=emb):
    return apply(module, parameters(module, h, emb, cond), h, emb, cond)


@pytest.mark.parametrize(
    "module",
    [space, linear, time, conv, TextAttention(head_dim=4), FeedForward()],
    ids=lambda m: type(m).__name__,
)
def test_a_new_layer_is_the_identity(module):
    def init_and_apply(key):
        return module.init_with_output(key, h, emb, captions)[0]

    np.testing.assert_array_equal(jax.jit(init_and_apply)(jax.random.key(0)), h)
    assert float(abs(mix(module, h) - h).max()) > 0.1  # but not with other parameters


@pytest.mark.parametrize("module", [space, linear, FeedForward()], ids=lambda m: type(m).__name__)
def test_layers_over_space_treat_frames_independently(module):
    np.testing.assert_allclose(mix(module, h)[:, order], mix(module, h[:, order]), atol=1e-5)
    other = h.at[:, 1:].set(7.0)
    np.testing.assert_array_equal(mix(module, h)[:, 0], mix(module, other)[:, 0])


@pytest.mark.parametrize("module", [space, linear], ids=lambda m: type(m).__name__)
def test_attention_over_space_ignores_the_order_of_positions(module):
    np.testing.assert_allclose(mix(module, h)[:, :, ::-1], mix(module, h[:, :, ::-1]), atol=1e-5)


@pytest.mark.parametrize("module", [time, conv], ids=lambda m: type(m).__name__)
def test_layers_over_time_treat_positions_independently(module):
    turned = h[:, :, ::-1, ::-1]
    np.testing.assert_allclose(mix(module, h)[:, :, ::-1, ::-1], mix(module, turned), atol=1e-5)


def test_a_static_clip_stays_static():
    still = jnp.broadcast_to(h[:, :1], h.shape)
    out = mix(time, still)
    np.testing.assert_allclose(out, jnp.broadcast_to(out[:, :1], out.shape), atol=1e-6)


def test_without_positions_the_order_of_frames_does_not_matter():
    timeless = TemporalAttention(head_dim=4, positions=None)
    np.testing.assert_allclose(mix(timeless, h)[:, order], mix(timeless, h[:, order]), atol=1e-5)
    assert float(abs(mix(time, h)[:, order] - mix(time, h[:, order])).max()) > 1e-2


def test_only_relative_positions_of_frames_matter():
    """The same clip of three frames, packed before and after two others."""
    early = h.at[:, 3:].set(normal(B, 2, H, W, C, seed=1))
    late = jnp.concatenate([early[:, 3:], early[:, :3]], axis=1)
    first = mix(time, early, Conditioning(segments=jnp.array([[0, 0, 0, 1, 2]] * B)))
    last = mix(time, late, Conditioning(segments=jnp.array([[1, 2, 0, 0, 0]] * B)))
    np.testing.assert_allclose(first[:, :3], last[:, 2:], atol=1e-5)


@pytest.mark.parametrize("module", [time, conv], ids=lambda m: type(m).__name__)
def test_packed_clips_are_independent(module):
    segments = jnp.array([[0, 0, 0, 1, 2]] * B)
    cond = Conditioning(segments=segments)
    variables = parameters(module, h, emb, cond)

    @jax.jit
    def gradient(h, frame):
        def power(h):
            return jnp.square(module.apply(variables, h, emb, cond)[:, frame]).sum()

        return jax.grad(power)(h)

    for frame in range(F):
        affected = np.asarray(abs(gradient(h, frame)).max(axis=(0, 2, 3, 4)))
        reach = np.abs(np.arange(F) - frame) <= (1 if module is conv else F)
        np.testing.assert_array_equal(affected > 0, reach & (segments[0] == segments[0, frame]))


@pytest.mark.parametrize("module", [time, conv], ids=lambda m: type(m).__name__)
def test_a_pack_of_images_equals_single_images(module):
    pack = Conditioning(segments=jnp.broadcast_to(jnp.arange(F)[None], (B, F)))
    alone = mix(module, h.reshape(B * F, 1, H, W, C), Conditioning(), emb.reshape(B * F, 1, -1))
    np.testing.assert_allclose(mix(module, h, pack), alone.reshape(h.shape), atol=1e-5)


def test_a_temporal_convolution_leaves_images_unchanged():
    pack = Conditioning(segments=jnp.broadcast_to(jnp.arange(F)[None], (B, F)))
    np.testing.assert_array_equal(mix(conv, h, pack), h)


def test_a_temporal_convolution_is_shift_invariant():
    variables = parameters(conv, h, emb, captions)
    own = {**variables["params"], "norm": {"scale": jnp.ones(C), "bias": jnp.zeros(C)}}
    still = jnp.broadcast_to(h[:, :1], h.shape)
    out = apply(conv, {"params": own}, still, emb, captions)
    np.testing.assert_allclose(out[:, 1:-1], jnp.broadcast_to(out[:, 1:2], out[:, 1:-1].shape))
    assert float(abs(out[:, 0] - out[:, 1]).max()) > 1e-2  # zeros beyond the ends
    late = jnp.pad(h, [(0, 0), (1, 0), (0, 0), (0, 0), (0, 0)])
    later = apply(conv, variables, late, emb, captions)
    first = apply(conv, variables, h, emb, captions)
    np.testing.assert_allclose(later[:, 2:], first[:, 1:], atol=1e-5)


def test_masked_tokens_have_no_effect():
    other = Conditioning(text=jnp.where(mask[..., None], text, 9.0), text_mask=mask)
    layer = TextAttention(head_dim=4)
    np.testing.assert_array_equal(mix(layer, h), mix(layer, h, other))


def test_without_a_caption_only_the_bias_is_added():
    layer, empty = (
        TextAttention(head_dim=4),
        Conditioning(text=text, text_mask=mask.at[1].set(False)),
    )
    captioned, half = mix(layer, h), mix(layer, h, empty)
    np.testing.assert_array_equal(half[0], captioned[0])
    bias = parameters(layer, h, emb, captions)["params"]["out"]["bias"]
    np.testing.assert_allclose(half[1] - h[1], jnp.broadcast_to(bias, h[1].shape), atol=1e-6)


def test_packed_clips_attend_to_their_own_captions():
    layer, text_of_clips = TextAttention(head_dim=4), normal(B, F, 3, 6, seed=1)
    real = jnp.arange(3)[None, None] < jnp.arange(1, F + 1)[None, :, None] % 4
    real = jnp.broadcast_to(real, text_of_clips.shape[:-1])
    segments = jnp.broadcast_to(jnp.arange(F)[None], (B, F))
    packed = mix(layer, h, Conditioning(text=text_of_clips, text_mask=real, segments=segments))
    one_by_one = Conditioning(
        text=text_of_clips.reshape(B * F, 3, 6), text_mask=real.reshape(B * F, 3)
    )
    alone = mix(layer, h.reshape(B * F, 1, H, W, C), one_by_one, emb.reshape(B * F, 1, -1))
    np.testing.assert_allclose(packed, alone.reshape(h.shape), atol=1e-5)


@pytest.mark.parametrize(
    "module",
    [SpatialAttention(3), LinearSpatialAttention(3), TemporalAttention(3), TextAttention(3)],
    ids=lambda m: type(m).__name__,
)
def test_indivisible_heads_raise(module):
    with pytest.raises(ValueError, match=rf"{type(module).__name__}: 8 channels .* 3 features"):
        parameters(module, h, emb, captions)
