"""Motion histograms as in FVMD's released code, and their distance."""

import numpy as np
import pytest

from vdm_jax.metrics.flows import ZeroFlow
from vdm_jax.metrics.frechet import Moments
from vdm_jax.metrics.motion import (
    MotionHistograms,
    accelerations,
    histograms,
    motion_distance,
    motion_features,
    released_accelerations,
    velocities,
)

RANDOM = np.random.default_rng(0)


def tracks_of(step, b=1, f=16, side=20):
    """Points on a grid that all move by step(frame)."""
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2) * 10.0
    moved = np.cumsum([step(t) for t in range(f)], axis=0)
    return np.broadcast_to(grid[None, None] + moved[None, :, None], (b, f, side * side, 2))


def test_uniform_motion_has_no_acceleration():
    steady = tracks_of(lambda t: (3.0, 4.0) if t else (0.0, 0.0))
    moved = velocities(steady)
    np.testing.assert_array_equal(moved[:, 0], 0)
    np.testing.assert_allclose(moved[:, 1:], np.broadcast_to((3, 4), moved[:, 1:].shape))
    np.testing.assert_allclose(accelerations(steady), 0, atol=1e-12)
    # The "accelerations" of FVMD's released code are velocities from frame 2 on.
    released = released_accelerations(steady)
    np.testing.assert_array_equal(released[:, :2], 0)
    np.testing.assert_array_equal(released[:, 2:], moved[:, 2:])


def test_a_falling_point_has_constant_acceleration():
    falling = tracks_of(lambda t: (0.0, 2.0 * t))
    result = accelerations(falling)[:, 2:]
    np.testing.assert_allclose(result, np.broadcast_to((0, 2), result.shape), atol=1e-9)


@pytest.mark.parametrize(
    ("vector", "bin", "weight"),
    [
        ((0.0, 0.0), 4, 0.0),  # no motion counts nothing
        ((1.0, 0.0), 6, 1 / 8),  # atan2(x, y) is a quarter turn: log2(2) = 1
        ((0.0, 5.0), 4, 3 / 8),  # ceil(log2(6)) = 3
        ((0.0, -3.0), 7, 2 / 8),  # atan2(0, -3) is pi, in the last bin
        ((-1e-9, -1.0), 0, 1 / 8),
        ((3000.0, 3000.0), 5, 1.0),  # lengths are clipped at 255 pixels
    ],
)
def test_known_histograms(vector, bin, weight):
    """5 x 5 points in 4 frames are the 100 vectors of one cell."""
    vectors = np.broadcast_to(np.array(vector), (1, 4, 25, 2))
    result = histograms(vectors)
    assert result.shape == (1, 1, 1, 1, 8)
    expected = np.zeros(8)
    expected[bin] = 100 * weight
    np.testing.assert_allclose(result[0, 0, 0, 0], expected)


def test_a_vector_counts_in_the_cell_of_its_point_and_frame():
    vectors = np.zeros((1, 17, 400, 2))
    vectors[0, 5, 2 * 20 + 13] = (0, 1)  # frame 5, row 2, column 13
    result = histograms(vectors)
    assert result.shape == (1, 4, 4, 4, 8)
    assert result[0, 1, 0, 2, 4] == 1 / 8 and np.count_nonzero(result) == 1
    assert motion_features(np.zeros((2, 16, 400, 2))).shape == (2, 1024)
    with pytest.raises(ValueError, match="not 10 points and 16 frames"):
        histograms(np.zeros((1, 16, 10, 2)))


def test_the_distance_equals_fvmd():
    """scipy's root of (S_a + eI)(S_b + eI); e is not compensated."""
    from scipy import linalg

    a, b = RANDOM.normal(size=(2, 40, 6)) * np.array([1.0, 2.0])[:, None, None]
    covariances = [np.cov(x, rowvar=False) for x in (a, b)]
    root = linalg.sqrtm(np.prod([[1]]) * (covariances[0] + 1e-5 * np.eye(6))
                        @ (covariances[1] + 1e-5 * np.eye(6)))  # fmt: skip
    expected = np.square(a.mean(0) - b.mean(0)).sum() - 2 * np.trace(root).real
    expected += sum(np.trace(c) for c in covariances)
    ours = motion_distance(Moments.of(a), Moments.of(b))
    assert ours == pytest.approx(expected, rel=1e-8)
    assert motion_distance(Moments.of(a), Moments.of(a)) == pytest.approx(-2 * 6 * 1e-5, rel=1e-4)


def test_points_stay_on_the_grid_without_flow():
    video = RANDOM.integers(0, 256, (2, 8, 36, 46, 3), np.uint8)
    features = MotionHistograms(ZeroFlow(), points=5)
    tracks = features.tracks(video)
    assert tracks.shape == (2, 8, 25, 2)
    np.testing.assert_allclose(tracks[:, :, 0], np.broadcast_to((8, 8), (2, 8, 2)))
    np.testing.assert_allclose(tracks[:, :, -1], np.broadcast_to((38, 28), (2, 8, 2)))
    np.testing.assert_array_equal(features(video), np.zeros((2, 2 * 2 * 8)))
    assert features.name == "motion_histograms_still"
