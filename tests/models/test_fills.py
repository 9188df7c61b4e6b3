"""Fills: frames that are given stay what they are, those between follow from their neighbours."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arbitrary import normal

from vdm_jax.models import Blank, LinearBlend, MotionCompensated, Repeat

B, F, SIDE = 2, 4, 8
low = normal(B, F // 2, SIDE, SIDE, 3, seed=1)
compensate = jax.jit(MotionCompensated(reach=2, window=2.0), static_argnums=1)


def test_repeated_frames_are_the_frames():
    up = Repeat()(low, 4 * low.shape[1])
    for offset in range(4):
        np.testing.assert_array_equal(up[:, offset::4], low)


def test_between_frames_is_their_mixture():
    filled = LinearBlend()(low, F)
    np.testing.assert_array_equal(filled[:, ::2], low)
    np.testing.assert_allclose(filled[:, 1], (low[:, 0] + low[:, 1]) / 2, rtol=1e-6)
    np.testing.assert_array_equal(filled[:, 3], low[:, 1])


def test_blank_frames_are_known_to_be_blank():
    up = Blank()(low, 3 * low.shape[1])
    np.testing.assert_array_equal(up[:, ::3, ..., :3], low)
    np.testing.assert_array_equal(up[..., 3], jnp.broadcast_to(
        jnp.tile(jnp.array([1.0, 0.0, 0.0]), 2).reshape(1, 6, 1, 1), up.shape[:-1]
    ))  # fmt: skip
    assert not up[:, 1::3].any() and not up[:, 2::3].any()


def test_compensation_is_beside_the_mixture():
    filled = compensate(low, 3 * low.shape[1])
    np.testing.assert_array_equal(filled[..., :3], LinearBlend()(low, 3 * low.shape[1]))
    given_or_last = filled[:, jnp.array([0, 3, 4, 5]), ..., 3:]
    np.testing.assert_allclose(given_or_last, 0, atol=1e-6)
    assert all(abs(filled[:, i, ..., 3:]).max() > 0.1 for i in (1, 2))


@pytest.mark.parametrize("times", [2, 3])
def test_what_moves_evenly_is_seen_where_it_is(times):
    """Away from the borders both neighbours meet in the frame that is missing."""
    texture = normal(24, 24, 3)
    clip = jnp.stack([jnp.roll(texture, (f, -2 * f), (0, 1)) for f in range(2 * times)])[None]
    filled = compensate(clip[:, ::times], 2 * times)
    mixture, inner = filled[..., :3], slice(8, -8)
    for moved in (filled[..., 3:6], filled[..., 6:]):
        seen = (mixture + moved)[:, :times, inner, inner]
        np.testing.assert_allclose(seen, clip[:, :times, inner, inner], atol=1e-5)


def test_backwards_earlier_and_later_change_places():
    there, back = compensate(low, F)[:, 1], compensate(low[:, ::-1], F)[:, 1]
    np.testing.assert_allclose(back[..., 3:6], there[..., 6:], atol=1e-6)
    np.testing.assert_allclose(back[..., 6:], there[..., 3:6], atol=1e-6)


def test_where_nothing_moves_nothing_is_moved():
    """Of equal motions the slowest is chosen, on empty frames too."""
    for still in (jnp.repeat(low[:, :1], 3, axis=1), jnp.zeros_like(low)):
        np.testing.assert_array_equal(compensate(still, 2 * still.shape[1])[..., 3:], 0)


@pytest.mark.parametrize("fill", [Repeat(), Blank(), LinearBlend(), MotionCompensated(reach=1)])
def test_half_precision_stays(fill):
    filled = jax.eval_shape(lambda low: fill(low, F), low.astype(jnp.bfloat16))
    assert filled.dtype == jnp.bfloat16 and filled.shape[:-1] == (B, F, SIDE, SIDE)
