"""Bootstrap standard errors and intervals, and the bias of a Frechet distance in the sample size.

Clips are resampled with replacement (Efron 1979). A resample is a vector of counts, one per clip,
so features are computed once and each resample costs a few matrix products.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vdm_jax.metrics.frechet import Moments, frechet_distance
from vdm_jax.metrics.inception_score import check_probabilities
from vdm_jax.metrics.kernel import CUBIC, PolynomialKernel

Vectors = Float[np.ndarray, "n d"]
OtherVectors = Float[np.ndarray, "m d"]
Counts = Float[np.ndarray, "n"]


@dataclass(frozen=True)
class Interval:
    """A value, its standard error, and its confidence interval `low`..`high`."""

    value: float
    error: float
    low: float
    high: float


@dataclass(frozen=True)
class Bootstrap:
    """Bootstrap intervals of clip metrics.

    The interval lies around the value as the resamples lie around their own mean: a resample holds
    fewer distinct clips, which biases a distance upwards, so only the spread is used.

    resamples: number of resamples, at least 2.
    seed: seed of the resampling.
    level: confidence level in (0, 1).
    """

    resamples: int = 100
    seed: int = 0
    level: float = 0.95

    def __post_init__(self):
        if self.resamples < 2 or not 0 < self.level < 1:
            raise ValueError(
                f"Bootstrap(resamples={self.resamples}, level={self.level}): resamples must be at "
                "least 2 and level between 0 and 1"
            )

    def counts(self, clips: int, side: int = 0) -> Iterator[Counts]:
        """The count of each clip in each resample; different `side`s are independent."""
        rng = np.random.default_rng((self.seed, side))
        for _ in range(self.resamples):
            yield rng.multinomial(clips, np.full(clips, 1 / clips)).astype(np.float64)

    def interval(self, value: float, resampled: Float[np.ndarray, "r"]) -> Interval:
        """The interval of a value, given its values on the resamples."""
        tails = np.quantile(resampled, [(1 - self.level) / 2, (1 + self.level) / 2])
        low, high = value + tails - resampled.mean()
        return Interval(value, float(resampled.std(ddof=1)), float(low), float(high))

    def mean(self, values: Float[np.ndarray, "n"]) -> Interval:
        """The interval of the mean of one number per clip."""
        values = np.asarray(values, np.float64)
        _check_count(len(values))
        means = [counts @ values / len(values) for counts in self.counts(len(values))]
        return self.interval(float(values.mean()), np.array(means))

    def frechet(self, x: Vectors, y: OtherVectors, ddof: int = 1, each: int = 1) -> Interval:
        """The interval of the Frechet distance; `each` vectors per clip are resampled together."""
        x, y = (np.asarray(z, np.float64) for z in (x, y))
        value = frechet_distance(Moments.of(x), Moments.of(y), ddof)
        resamples = [self._moments(z, each, side) for side, z in enumerate((x, y))]
        distances = [frechet_distance(a, b, ddof) for a, b in zip(*resamples, strict=True)]
        return self.interval(value, np.array(distances))

    def kernel(self, x: Vectors, y: OtherVectors, kernel: PolynomialKernel = CUBIC) -> Interval:
        """The interval of the unbiased MMD^2; two copies of one clip do not count as a pair."""
        x, y = (np.asarray(z, np.float64) for z in (x, y))
        _check_count(len(x), len(y))
        within = [kernel(z, z) for z in (x, y)]
        for matrix in within:
            np.fill_diagonal(matrix, 0)
        across = kernel(x, y)

        def distance(a: Counts, b: Float[np.ndarray, "m"]) -> float:
            total = -2 * (a @ across @ b) / (a.sum() * b.sum())
            for w, matrix in zip((a, b), within, strict=True):
                pairs = w.sum() ** 2 - w @ w  # 0 if all draws are one clip
                total += (w @ matrix @ w) / pairs if pairs else np.nan
            return float(total)

        value = distance(np.ones(len(x)), np.ones(len(y)))
        pairs = zip(self.counts(len(x), 0), self.counts(len(y), 1), strict=True)
        return self.interval(value, np.array([distance(a, b) for a, b in pairs]))

    def inception_score(self, p: Float[np.ndarray, "n k"]) -> Interval:
        """The interval of the inception score of all clips as one split.

        log IS = H(mean p) - mean H(p), both weighted by the counts.
        """
        p = check_probabilities(p)
        _check_count(len(p))
        entropies = -_times_log(p).sum(axis=1)

        def score(counts: Counts) -> float:
            weights = counts / counts.sum()
            return float(np.exp(-_times_log(weights @ p).sum() - weights @ entropies))

        scores = [score(counts) for counts in self.counts(len(p))]
        return self.interval(score(np.ones(len(p))), np.array(scores))

    def _moments(self, x: Vectors, each: int, side: int) -> Iterator[Moments]:
        """The moments of each resample, from the centered vectors weighted by their counts."""
        if len(x) % each:
            raise ValueError(f"{len(x)} feature vectors are not divisible by {each} per clip")
        _check_count(len(x) // each)
        mean = x.mean(axis=0)
        centered = x - mean
        for counts in self.counts(len(x) // each, side):
            counts = np.repeat(counts, each)
            shift = counts @ centered / len(x)
            weighted = centered * np.sqrt(counts)[:, None]
            scatter = weighted.T @ weighted - len(x) * np.outer(shift, shift)
            yield Moments(len(x), mean + shift, scatter)


@dataclass(frozen=True)
class Extrapolation:
    """A Frechet distance of all clips, of half of them, and extrapolated to infinitely many."""

    value: float
    half: float
    infinite: float


def frechet_bias(x: Vectors, y: OtherVectors, ddof: int = 1, each: int = 1) -> Extrapolation:
    """The Frechet distance extrapolated to infinitely many clips: 2 FD(n) - FD(n / 2).

    The bias falls as 1 / n. FD(n / 2) is the mean over the two halves of every second clip. With
    fewer clips than features per half the bias falls slower, and the result is still too large.
    (Chong & Forsyth 2020, section 3, with two points)
    """
    whole = frechet_distance(Moments.of(x), Moments.of(y), ddof)
    halves = []
    for first in (0, 1):
        a, b = (Moments.of(_every_second(z, first, each)) for z in (x, y))
        halves.append(frechet_distance(a, b, ddof))
    half = float(np.mean(halves))
    return Extrapolation(whole, half, 2 * whole - half)


def _every_second(x: Vectors, first: int, each: int) -> Float[np.ndarray, "_ d"]:
    """The vectors of every second clip, so that sorted clips spread over both halves."""
    return x.reshape(-1, each, x.shape[1])[first::2].reshape(-1, x.shape[1])


def _times_log(p: np.ndarray) -> np.ndarray:
    return p * np.log(np.where(p > 0, p, 1.0))


def _check_count(*clips: int) -> None:
    if min(clips) < 2:
        raise ValueError(f"a standard error needs at least 2 clips, not {min(clips)}")
