"""Temporal upsampling: given frames stay, others follow from their neighbours."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arbitrary import normal

from vdm_jax.models import Blank, LinearBlend, MotionCompensated, Repeat

B, F, SIDE = 2, 4, 8
low = normal(B, F // 2, SIDE, SIDE, 3, seed=1)
compensate = jax.jit(MotionCompensated(reach=2, window=2.0), static_argnums=1)


def test_repeat_gives_the_frames():
    up = Repeat()(low, 4 * low.shape[1])
    for offset in range(4):
        np.testing.assert_array_equal(up[:, offset::4], low)


def test_linear_blend_interpolates():
    upsampled = LinearBlend()(low, F)
    np.testing.assert_array_equal(upsampled[:, ::2], low)
    np.testing.assert_allclose(upsampled[:, 1], (low[:, 0] + low[:, 1]) / 2, rtol=1e-6)
    np.testing.assert_array_equal(upsampled[:, 3], low[:, 1])


def test_blank_marks_given_frames():
    up = Blank()(low, 3 * low.shape[1])
    np.testing.assert_array_equal(up[:, ::3, ..., :3], low)
    np.testing.assert_array_equal(up[..., 3], jnp.broadcast_to(
        jnp.tile(jnp.array([1.0, 0.0, 0.0]), 2).reshape(1, 6, 1, 1), up.shape[:-1]
    ))  # fmt: skip
    assert not up[:, 1::3].any() and not up[:, 2::3].any()


def test_motion_compensation_adds_channels_to_the_blend():
    upsampled = compensate(low, 3 * low.shape[1])
    np.testing.assert_array_equal(upsampled[..., :3], LinearBlend()(low, 3 * low.shape[1]))
    given_or_last = upsampled[:, jnp.array([0, 3, 4, 5]), ..., 3:]
    np.testing.assert_allclose(given_or_last, 0, atol=1e-6)
    assert all(abs(upsampled[:, i, ..., 3:]).max() > 0.1 for i in (1, 2))


@pytest.mark.parametrize("times", [2, 3])
def test_constant_motion_is_compensated_exactly(times):
    """Away from the borders both shifted neighbours equal the missing frame."""
    texture = normal(24, 24, 3)
    clip = jnp.stack([jnp.roll(texture, (f, -2 * f), (0, 1)) for f in range(2 * times)])[None]
    upsampled = compensate(clip[:, ::times], 2 * times)
    mixture, inner = upsampled[..., :3], slice(8, -8)
    for shifted in (upsampled[..., 3:6], upsampled[..., 6:]):
        compensated = (mixture + shifted)[:, :times, inner, inner]
        np.testing.assert_allclose(compensated, clip[:, :times, inner, inner], atol=1e-5)


def test_reversing_the_clip_swaps_the_neighbours():
    there, back = compensate(low, F)[:, 1], compensate(low[:, ::-1], F)[:, 1]
    np.testing.assert_allclose(back[..., 3:6], there[..., 6:], atol=1e-6)
    np.testing.assert_allclose(back[..., 6:], there[..., 3:6], atol=1e-6)


def test_static_clips_have_no_motion():
    """Among equal errors the slowest motion is chosen, on constant frames too."""
    for still in (jnp.repeat(low[:, :1], 3, axis=1), jnp.zeros_like(low)):
        np.testing.assert_array_equal(compensate(still, 2 * still.shape[1])[..., 3:], 0)


@pytest.mark.parametrize("upsample", [Repeat(), Blank(), LinearBlend(), MotionCompensated(reach=1)])
def test_bfloat16_is_kept(upsample):
    upsampled = jax.eval_shape(lambda low: upsample(low, F), low.astype(jnp.bfloat16))
    assert upsampled.dtype == jnp.bfloat16 and upsampled.shape[:-1] == (B, F, SIDE, SIDE)
