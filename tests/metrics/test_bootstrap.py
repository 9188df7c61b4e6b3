"""Standard errors equal the spread over other samples; the bias of few clips is extrapolated."""

import numpy as np
import pytest

from vdm_jax.metrics import Moments, frechet_distance, kernel
from vdm_jax.metrics.bootstrap import Bootstrap, frechet_bias
from vdm_jax.metrics.inception_score import MAGVIT

BOOTSTRAP = Bootstrap(resamples=200)


def test_the_error_of_a_mean():
    values = np.random.default_rng(0).normal(3, 2, 500)
    result = BOOTSTRAP.mean(values)
    error = values.std(ddof=1) / np.sqrt(500)
    assert result.value == pytest.approx(values.mean())
    assert result.error == pytest.approx(error, rel=0.15)
    assert result.high - result.value == pytest.approx(1.96 * error, rel=0.25)
    assert result.value - result.low == pytest.approx(1.96 * error, rel=0.25)


def sample_pair(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(300, 6)), 0.3 + 1.5 * rng.normal(size=(200, 6))


def frechet(x, y) -> float:
    return frechet_distance(Moments.of(x), Moments.of(y))


@pytest.mark.parametrize(
    "distance, interval",
    [(frechet, BOOTSTRAP.frechet), (kernel.unbiased_mmd, BOOTSTRAP.kernel)],
    ids=["frechet", "kernel"],
)
def test_errors_equal_the_spread_of_other_samples(distance, interval):
    others = [distance(*sample_pair(seed)) for seed in range(1, 201)]
    result = [interval(*sample_pair(300 + seed)) for seed in range(20)]
    assert result[0].value == pytest.approx(distance(*sample_pair(300)), rel=1e-10)
    errors = np.mean([one.error for one in result])
    assert errors == pytest.approx(np.std(others), rel=0.15)
    assert all(one.low < one.value < one.high for one in result)


def test_the_error_of_an_inception_score():
    def predictions(seed):
        rng = np.random.default_rng(seed)
        logits = 2 * rng.normal(size=(400, 7))
        p = np.exp(logits)
        return p / p.sum(axis=1, keepdims=True)

    others = [MAGVIT(predictions(seed))[0] for seed in range(1, 301)]
    result = BOOTSTRAP.inception_score(predictions(0))
    assert result.value == pytest.approx(MAGVIT(predictions(0))[0], rel=1e-12)
    assert result.error == pytest.approx(np.std(others), rel=0.25)


def test_a_resample_has_the_moments_of_its_repeated_clips():
    x, y = sample_pair(0)
    one = Bootstrap(resamples=2)
    picks = [next(one.counts(len(z), side)).astype(int) for side, z in enumerate((x, y))]
    again = [np.repeat(z, pick, axis=0) for z, pick in zip((x, y), picks, strict=True)]
    expected = [Moments.of(z) for z in again]
    result = [next(one._moments(z, 1, side)) for side, z in enumerate((x, y))]
    for a, b in zip(result, expected, strict=True):
        np.testing.assert_allclose(a.mean, b.mean, rtol=1e-10)
        np.testing.assert_allclose(a.scatter, b.scatter, rtol=1e-9, atol=1e-9)


def test_vectors_of_one_clip_are_resampled_together():
    """Frames that repeat their clip add no information: the error is unchanged."""
    x, y = sample_pair(0)
    alone = BOOTSTRAP.frechet(x, y, ddof=0)
    frames = BOOTSTRAP.frechet(np.repeat(x, 4, axis=0), np.repeat(y, 4, axis=0), ddof=0, each=4)
    assert frames.value == pytest.approx(alone.value, rel=1e-9)
    assert frames.error == pytest.approx(alone.error, rel=1e-9)


def gaussian(n: int, seed: int) -> np.ndarray:
    """400 features with the spectrum 1, 1/2, 1/3, .."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 400)) / np.sqrt(np.arange(1, 401))


KNOWN = {256: 2.16, 512: 1.11, 1024: 0.55, 2048: 0.276}
"""Frechet distances of n clips to n others of the same distribution."""


@pytest.mark.parametrize("n", KNOWN)
def test_the_distance_of_equal_distributions_falls_as_1_over_n(n):
    result = frechet_bias(gaussian(n, 1), gaussian(n, 2))
    assert result.value == pytest.approx(KNOWN[n], rel=0.05)
    if n > 256:  # with fewer clips than features it falls slower
        assert result.half == pytest.approx(KNOWN[n // 2], rel=0.05)
        assert abs(result.infinite) < 0.1 * KNOWN[n]


def test_ten_thousand_clips_are_nearly_unbiased():
    moments = (Moments.of(gaussian(10_000, seed)) for seed in (1, 2))
    assert frechet_distance(*moments) == pytest.approx(0.056, rel=0.05)


def test_the_extrapolation_gives_the_distance_of_the_distributions():
    x, y = gaussian(1024, 1), gaussian(1024, 2)
    y[:, 0] += 2  # the squared distance between the means is 4
    result = frechet_bias(x, y)
    assert result.value > 4.4
    assert result.infinite == pytest.approx(4, abs=0.3)


def test_invalid_arguments_are_named():
    with pytest.raises(ValueError, match="at least 2 clips, not 1"):
        BOOTSTRAP.mean(np.ones(1))
    with pytest.raises(ValueError, match="resamples=1"):
        Bootstrap(resamples=1)
    with pytest.raises(ValueError, match="300 feature vectors are not divisible by 7 per clip"):
        BOOTSTRAP.frechet(*sample_pair(0), each=7)
