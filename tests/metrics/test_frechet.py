"""Closed forms and symmetries of the Frechet distance; streamed moments equal whole ones."""

import numpy as np
import pytest
from scipy import linalg

from vdm_jax.metrics import Moments, PixelFeatures, frechet_distance


def gaussian(mean, covariance) -> Moments:
    """Moments whose covariance with ddof 1 is the given one."""
    return Moments(2, np.asarray(mean, float), np.asarray(covariance, float))


def waves() -> tuple[np.ndarray, np.ndarray]:
    x = np.sin(np.outer(np.arange(1, 33), np.arange(1, 9)))
    y = 1.3 * np.cos(np.outer(np.arange(1, 41), np.arange(1, 9))) + 0.1
    return x, y


def test_one_dimension():
    a, b = gaussian([0], [[1]]), gaussian([3], [[4]])
    assert frechet_distance(a, b) == pytest.approx(10)


def test_three_dimensions():
    a, b = gaussian(np.zeros(3), np.eye(3)), gaussian(np.ones(3), 4 * np.eye(3))
    assert frechet_distance(a, b) == pytest.approx(6)


def test_equal_covariances_leave_the_distance_of_the_means():
    """2048 features whose means differ by one: pytorch-fid's own test."""
    a, b = gaussian(np.zeros(2048), np.eye(2048)), gaussian(np.ones(2048), np.eye(2048))
    assert frechet_distance(a, b) == pytest.approx(2048)


def test_diagonal_covariances_compare_standard_deviations():
    a, b = np.random.default_rng(0).uniform(0, 4, (2, 12))
    shift = np.linspace(-1, 1, 12)
    expected = np.square(shift).sum() + np.square(np.sqrt(a) - np.sqrt(b)).sum()
    result = frechet_distance(gaussian(np.zeros(12), np.diag(a)), gaussian(shift, np.diag(b)))
    assert result == pytest.approx(expected, rel=1e-9)


def test_two_dimensions_have_a_closed_form():
    """tr (A B)^(1/2) = (tr A B + 2 (det A det B)^(1/2))^(1/2) for 2 x 2 matrices."""
    for roots in np.random.default_rng(0).normal(size=(20, 2, 2, 2)):
        a, b = (r @ r.T for r in roots)
        inside = np.trace(a @ b) + 2 * np.sqrt(np.linalg.det(a) * np.linalg.det(b))
        expected = np.trace(a) + np.trace(b) - 2 * np.sqrt(inside)
        result = frechet_distance(gaussian([0, 0], a), gaussian([0, 0], b))
        assert result == pytest.approx(expected, rel=1e-6, abs=1e-7)


def test_covariances_that_do_not_commute():
    a, b = gaussian([0, 0], [[2, 1], [1, 2]]), gaussian([1, 2], np.diag([1, 3]))
    assert frechet_distance(a, b) == pytest.approx(5.516685226452118, rel=1e-12)


def test_moments_of_features_with_either_ddof():
    a, b = (Moments.of(y) for y in waves())
    assert frechet_distance(a, b) == pytest.approx(0.4501208806, abs=1e-9)
    assert frechet_distance(a, b, ddof=0) == pytest.approx(0.4481780801, abs=1e-9)


def test_the_distance_is_symmetric_and_zero_of_equal_sets():
    a, b = (Moments.of(y) for y in waves())
    assert abs(frechet_distance(a, a)) < 1e-6 * np.trace(a.covariance())
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)


def test_the_distance_is_invariant_under_a_common_rotation_and_shift():
    x, y = waves()
    rotation, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))
    moved = [Moments.of(z @ rotation + 5.0) for z in (x, y)]
    expected = frechet_distance(Moments.of(x), Moments.of(y))
    assert frechet_distance(*moved) == pytest.approx(expected, rel=1e-9)


def test_fewer_clips_than_features():
    """tr (S_a S_b)^(1/2) is the nuclear norm of A B^T, A and B the scaled centered features."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 16, 100))
    a, b = ((z - z.mean(0)) / np.sqrt(15) for z in (x, y))
    root = np.linalg.norm(a @ b.T, "nuc")
    expected = np.square(x.mean(0) - y.mean(0)).sum() + (a**2).sum() + (b**2).sum() - 2 * root
    assert frechet_distance(Moments.of(x), Moments.of(y)) == pytest.approx(expected, rel=1e-5)
    product = linalg.sqrtm(np.cov(x.T) @ np.cov(y.T))  # as in StyleGAN-V and pytorch-fid
    by_product = expected + 2 * root - 2 * np.trace(product).real
    assert by_product == pytest.approx(expected, rel=1e-5)


def test_streamed_moments_equal_whole_ones_even_far_from_zero():
    features = np.random.default_rng(0).normal(size=(100, 5)) + 1e6
    whole = Moments.of(features)
    stream = Moments.empty(5)
    for batch in np.split(features, [1, 8, 8, 60]):
        stream = stream.update(batch)
    halves = Moments.of(features[:33]).merge(Moments.of(features[33:]))
    for result in (stream, halves):
        assert result.count == 100
        np.testing.assert_allclose(result.mean, whole.mean, rtol=1e-14)
        np.testing.assert_allclose(result.covariance(), np.cov(features.T), rtol=1e-7, atol=1e-9)


def test_invalid_features_are_named(unchecked):
    some = Moments.of(np.random.default_rng(0).normal(size=(4, 3)))
    with pytest.raises(ValueError, match="3 and 2 dimensions"):
        frechet_distance(some, Moments.of(np.eye(2)))
    with pytest.raises(ValueError, match="3 and 2 dimensions"):
        some.update(np.eye(2))
    with pytest.raises(ValueError, match="at least 2 clips, not 1"):
        frechet_distance(some, Moments.of(np.ones((1, 3))))
    with pytest.raises(ValueError, match=r"1 of 3 clips are not finite \(first: clip 1\)"):
        some.update(np.array([[1, 2, 3], [1, np.nan, 3], [1, 2, 3]]))
    with pytest.raises(ValueError, match=r"\[b d\]"):
        Moments.of(np.ones(3))


def test_pixel_features_preserve_constants_and_means():
    features = PixelFeatures(frames=2, size=3)
    flat = np.full((2, 8, 12, 12, 3), 255, np.uint8)
    np.testing.assert_allclose(features(flat), np.ones((2, 2 * 3 * 3 * 3)), atol=1e-6)
    noise = np.random.default_rng(0).integers(0, 256, (1, 4, 16, 16, 3), dtype=np.uint8)
    one = PixelFeatures(frames=1, size=1)(np.repeat(noise[:, :1], 4, axis=1))
    assert one.shape == (1, 3)
    assert np.abs(one).max() < 0.3
