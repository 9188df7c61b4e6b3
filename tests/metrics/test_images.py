"""Known answers of PSNR and SSIM."""

import numpy as np
import pytest

from vdm_jax.metrics import images


def constant(value: float, size: int = 16) -> np.ndarray:
    return np.full((2, size, size, 3), value)


def test_psnr_known_answers():
    assert images.psnr(constant(0.5), constant(0.6), peak=1) == pytest.approx(20)
    assert images.psnr(constant(0), constant(1), peak=1) == pytest.approx(0)
    off_by_one = np.full((1, 4, 4, 3), 17, np.uint8), np.full((1, 4, 4, 3), 16, np.uint8)
    assert images.psnr(*off_by_one) == pytest.approx(48.1308036, abs=1e-6)
    assert images.psnr(constant(0.5), constant(0.5)) == float("inf")


def test_psnr_averages_decibels_and_not_errors():
    a = np.zeros((2, 8, 8, 3))
    b = np.stack([np.full((8, 8, 3), 0.1), np.full((8, 8, 3), 0.01)])
    assert images.psnr(a, b, peak=1) == pytest.approx(30)
    assert images.pooled_psnr(a, b, peak=1) == pytest.approx(22.967, abs=1e-3)


def test_ssim_known_answers():
    assert images.ssim(constant(0), constant(1), peak=1) == pytest.approx(9.999000099990e-05)
    assert images.ssim(constant(0.5), constant(0.6), peak=1) == pytest.approx(0.983609244386166)
    assert images.ssim(constant(0.5), constant(0.5), peak=1) == pytest.approx(1)


def test_ssim_equals_scikit_image():
    """gaussian_weights=True, sigma=1.5, use_sample_covariance=False, on a ramp and a checker."""
    y, x = np.mgrid[:64, :64]
    ramp = x / 63
    worse = np.clip(0.9 * ramp + 0.05 * ((x + y) % 2), 0, 1)
    result = images.ssim(ramp[None, :, :, None], worse[None, :, :, None], peak=1)
    assert result == pytest.approx(0.7508933909, abs=1e-9)


def test_luma_of_colors_and_of_grays():
    colors = np.eye(3).reshape(1, 1, 3, 3)
    np.testing.assert_allclose(images.luma(colors).ravel(), [0.2125, 0.7154, 0.0721])
    frames = np.random.default_rng(0).random((2, 16, 16, 3))
    gray, other = (np.repeat(x[..., :1], 3, axis=-1) for x in (frames, frames[:, ::-1]))
    result = images.ssim(images.luma(gray), images.luma(other), peak=1)
    assert result == pytest.approx(images.ssim(gray, other, peak=1), rel=1e-9)
    with pytest.raises(ValueError, match="not 1 channels"):
        images.luma(frames[..., :1])


def test_ssim_does_not_wrap_in_uint8():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (2, 3, 16, 16, 3), dtype=np.uint8)
    scaled = images.ssim(a / 255, b / 255, peak=1)
    assert images.ssim(a, b) == pytest.approx(scaled, rel=1e-9)
    assert images.psnr(a, b) == pytest.approx(images.psnr(a / 255, b / 255, peak=1))


def test_a_batch_is_the_mean_of_its_clips():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 4, 3, 12, 12, 3))
    for metric in (images.psnr, images.ssim):
        each = [metric(x, y, 1) for x, y in zip(a, b, strict=True)]
        assert metric(a, b, 1) == pytest.approx(np.mean(each))


def test_invalid_pairs_are_named(unchecked):
    with pytest.raises(ValueError, match="one shape"):
        images.psnr(np.zeros((2, 8, 8, 3)), np.zeros((2, 8, 9, 3)))
    with pytest.raises(ValueError, match="at least 11 x 11"):
        images.ssim(np.zeros((2, 8, 16, 3)), np.zeros((2, 8, 16, 3)))
