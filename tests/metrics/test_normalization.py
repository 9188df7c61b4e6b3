"""Normalization of pixels to the values that networks were trained on."""

import jax.numpy as jnp
import numpy as np
import pytest

from vdm_jax.checkpoints import CheckpointError
from vdm_jax.metrics import normalization

PIXELS = jnp.arange(256, dtype=jnp.float32).reshape(1, 2, 8, 16, 1) * jnp.ones((1, 1, 1, 1, 3))


def test_the_ends_of_ranges_are_reached():
    for step, low, high in ((normalization.SIGNED, -1, 1), (normalization.UNIT, 0, 1)):
        assert (step(PIXELS).min(), step(PIXELS).max()) == (low, high)


def test_the_mean_color_maps_to_0_and_one_standard_deviation_to_1():
    for step in (normalization.IMAGENET, normalization.CLIP):
        mean, std = (jnp.asarray(c).reshape(1, 1, 1, 3) for c in (step.mean, step.std))
        np.testing.assert_allclose(step(mean), jnp.zeros((1, 1, 1, 3)))
        np.testing.assert_allclose(step(mean + std), jnp.ones((1, 1, 1, 3)), rtol=1e-6)


def test_quantizing_rounds_and_clips():
    x = jnp.asarray([-3.0, 0.4, 0.6, 254.6, 300.0]).reshape(1, 1, 5, 1)
    np.testing.assert_array_equal(normalization.Quantize()(x).ravel(), [0, 0, 1, 255, 255])


def test_channels_are_reversed_and_clips_become_images_in_order():
    x = jnp.arange(2 * 3 * 1 * 1 * 3.0).reshape(2, 3, 1, 1, 3)
    assert normalization.ReverseChannels()(x)[0, 0, 0, 0].tolist() == [2, 1, 0]
    images = normalization.Images()(x)
    assert images.shape == (6, 1, 1, 3)
    np.testing.assert_array_equal(images[4], x[1, 1])


def test_the_mean_clip_is_cropped_at_its_corner(tmp_path):
    mean = np.arange(3 * 2 * 5 * 6, dtype=np.float32).reshape(3, 2, 5, 6)
    np.savez(tmp_path / "first.npz", mean=mean[None])
    np.save(tmp_path / "last.npy", mean.transpose(1, 2, 3, 0))
    for name in ("first.npz", "last.npy"):
        step = normalization.SubtractMeanClip(str(tmp_path / name), corner=(1, 2))
        result = step(jnp.zeros((4, 2, 3, 4, 3)))
        np.testing.assert_array_equal(result[3], -mean[:, :, 1:4, 2:6].transpose(1, 2, 3, 0))
        with pytest.raises(ValueError, match="no crop of 3 frames of 3 x 4 pixels"):
            step(jnp.zeros((4, 3, 3, 4, 3)))
    with pytest.raises(CheckpointError, match=r"no mean clip .*none\.npz: C3D's is `mean2\.npz`"):
        normalization.SubtractMeanClip(str(tmp_path / "none.npz"))(jnp.zeros((1, 1, 1, 1, 3)))
    np.savez(tmp_path / "other.npz", average=mean)
    with pytest.raises(ValueError, match="no array `mean`; it has average"):
        normalization.SubtractMeanClip(str(tmp_path / "other.npz"))(jnp.zeros((1, 1, 1, 1, 3)))
