"""Tiled denoising equals denoising of whole frames if the margin holds the receptive field."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arbitrary import normal

from vdm_jax.models import Conditioning
from vdm_jax.sampling import Tiles

REACH = 3
z, low = normal(1, 2, 40, 56, 3), normal(1, 2, 20, 28, 3, seed=1)
cond = Conditioning(lowres=low, lowres_logsnr=jnp.zeros(1))


def blur(x):
    """The mean over a square that reaches `REACH` pixels, zeros beyond the borders."""
    width = 2 * REACH + 1
    window = (1, 1, width, width, 1)
    return jax.lax.reduce_window(x, 0.0, jax.lax.add, window, (1,) * 5, "SAME") / width**2


def local(cond):
    """A denoiser with a receptive field of `REACH` pixels, in z and in the low-resolution video."""

    def denoiser(z, logsnr):
        upsampled = jnp.repeat(jnp.repeat(cond.lowres, 2, axis=2), 2, axis=3)
        return blur(jnp.tanh(z) * (2 + logsnr)) + blur(upsampled)

    return denoiser


def whole_and_tiled(tiles, make=local):
    logsnr = jnp.float32(0.5)
    return make(cond)(z, logsnr), jax.jit(tiles(make, cond))(z, logsnr)


@pytest.mark.parametrize("tiles", [
    Tiles(size=16, overlap=8, margin=3, step=4),
    Tiles(size=24, overlap=8, margin=3, step=8),
    Tiles(size=40, overlap=8, margin=3, step=8),
    Tiles(size=64, overlap=8, margin=3, step=8),
])  # fmt: skip
def test_tiles_equal_the_whole(tiles):
    whole, tiled = whole_and_tiled(tiles)
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_a_margin_smaller_than_the_receptive_field_is_not_exact():
    whole, tiled = whole_and_tiled(Tiles(size=16, overlap=8, margin=0, step=4))
    assert float(abs(tiled - whole).max()) > 1e-3


def test_differences_between_tiles_leave_no_seam():
    """The x_hat of a tile is its mean; the weighted sum is linear between tiles, as the weights."""

    def global_(cond):
        def denoiser(z, logsnr):
            return jnp.broadcast_to(cond.lowres.mean(axis=(1, 2, 3, 4), keepdims=True), z.shape)

        return denoiser

    tiles = Tiles(size=16, overlap=8, margin=1, step=4)
    _, tiled = whole_and_tiled(tiles, global_)
    steps = max(float(abs(jnp.diff(tiled, axis=axis)).max()) for axis in (2, 3))
    means = low.reshape(1, 2, 5, 4, 7, 4, 3).mean(axis=(1, 3, 5, 6))
    assert steps < float(means.max() - means.min()) / (8 - 2)
    assert steps > 0


@pytest.mark.parametrize("length", [16, 20, 24, 40, 56])
def test_weights_sum_to_one(length):
    tiles = Tiles(size=16, overlap=8, margin=2, step=4)
    total = np.zeros(length)
    for start, weights in zip(tiles.starts(length), tiles.weights(length), strict=True):
        total[start : start + 16] += weights
        assert (weights >= 0).all()
        if start > 0:
            assert not weights[:2].any()  # the margin
    np.testing.assert_allclose(total, 1)


def test_impossible_tiles_are_named():
    with pytest.raises(ValueError, match="2 margin < overlap < size"):
        Tiles(size=64, overlap=32, margin=16)
    with pytest.raises(ValueError, match="must be multiples of step=16"):
        Tiles(size=40, overlap=32, margin=8)
    with pytest.raises(ValueError, match="42 pixels minus tiles of 16"):
        Tiles(size=16, overlap=8, margin=2, step=4).starts(42)
    with pytest.raises(ValueError, match="lowres is None"):
        Tiles()(local, Conditioning())
