"""How far a number would move with other samples: standard errors, intervals, and the bias of n.

Clips are drawn again, with repetition (Efron 1979), by how often each of them is counted: features
stay where they are, and every resample is a few products of matrices.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vdm_jax.evaluation.frechet import Moments, frechet_distance
from vdm_jax.evaluation.inception_score import check_probabilities
from vdm_jax.evaluation.kernel import CUBIC, Polynomial

Rows = Float[np.ndarray, "n d"]
Counts = Float[np.ndarray, "n"]


@dataclass(frozen=True)
class Interval:
    """A value, its standard error, and where it is expected with some confidence."""

    value: float
    error: float
    low: float
    high: float


@dataclass(frozen=True)
class Bootstrap:
    """`resamples` resamples by a seed, and intervals that hold the share `level` of them.

    Intervals lie around the value as the resamples do around their mean: resamples, which hold
    fewer different clips, are further apart than the sets are, and only their spread tells of other
    samples.
    """

    resamples: int = 100
    seed: int = 0
    level: float = 0.95

    def __post_init__(self):
        if self.resamples < 2 or not 0 < self.level < 1:
            raise ValueError(
                f"Bootstrap of {self.resamples} resamples at level {self.level}: at least 2, and a "
                "level between 0 and 1"
            )

    def counts(self, clips: int, side: int = 0) -> Iterator[Counts]:
        """How often each clip is drawn, resample by resample; the sides are independent."""
        rng = np.random.default_rng((self.seed, side))
        for _ in range(self.resamples):
            yield rng.multinomial(clips, np.full(clips, 1 / clips)).astype(np.float64)

    def interval(self, value: float, resampled: Float[np.ndarray, "r"]) -> Interval:
        """The interval of a value by what it was of the resamples."""
        tails = np.quantile(resampled, [(1 - self.level) / 2, (1 + self.level) / 2])
        low, high = value + tails - resampled.mean()
        return Interval(value, float(resampled.std(ddof=1)), float(low), float(high))

    def mean(self, values: Float[np.ndarray, "n"]) -> Interval:
        """Of the mean of a number for each clip."""
        values = np.asarray(values, np.float64)
        _enough(len(values))
        found = [counts @ values / len(values) for counts in self.counts(len(values))]
        return self.interval(float(values.mean()), np.array(found))

    def frechet(self, x: Rows, y: Rows, ddof: int = 1, each: int = 1) -> Interval:
        """Of the Frechet distance; of each clip there are `each` rows, drawn together."""
        x, y = (np.asarray(z, np.float64) for z in (x, y))
        value = frechet_distance(Moments.of(x), Moments.of(y), ddof)
        drawn = [self._moments(z, each, side) for side, z in enumerate((x, y))]
        found = [frechet_distance(a, b, ddof) for a, b in zip(*drawn, strict=True)]
        return self.interval(value, np.array(found))

    def kernel(self, x: Rows, y: Rows, kernel: Polynomial = CUBIC) -> Interval:
        """Of the unbiased MMD^2, in which two copies of one clip are no pair."""
        x, y = (np.asarray(z, np.float64) for z in (x, y))
        _enough(len(x), len(y))
        within = [kernel(z, z) for z in (x, y)]
        for matrix in within:
            np.fill_diagonal(matrix, 0)
        across = kernel(x, y)

        def distance(a: Counts, b: Counts) -> float:
            total = -2 * (a @ across @ b) / (a.sum() * b.sum())
            for w, matrix in zip((a, b), within, strict=True):
                pairs = w.sum() ** 2 - w @ w  # none if one clip was drawn every time
                total += (w @ matrix @ w) / pairs if pairs else np.nan
            return float(total)

        value = distance(np.ones(len(x)), np.ones(len(y)))
        pairs = zip(self.counts(len(x), 0), self.counts(len(y), 1), strict=True)
        return self.interval(value, np.array([distance(a, b) for a, b in pairs]))

    def inception_score(self, p: Float[np.ndarray, "n k"]) -> Interval:
        """Of the inception score of all clips as one part.

        log IS = H(mean p) - mean H(p), both of the counted rows.
        """
        p = check_probabilities(p)
        _enough(len(p))
        entropies = -_times_log(p).sum(axis=1)

        def score(counts: Counts) -> float:
            share = counts / counts.sum()
            return float(np.exp(-_times_log(share @ p).sum() - share @ entropies))

        found = [score(counts) for counts in self.counts(len(p))]
        return self.interval(score(np.ones(len(p))), np.array(found))

    def _moments(self, x: Rows, each: int, side: int) -> Iterator[Moments]:
        """The moments of resamples: products with the centred rows, each scaled by its count."""
        if len(x) % each:
            raise ValueError(f"{len(x)} rows are not {each} for each clip")
        _enough(len(x) // each)
        middle = x.mean(axis=0)
        centered = x - middle
        for counts in self.counts(len(x) // each, side):
            counts = np.repeat(counts, each)
            shift = counts @ centered / len(x)
            rows = centered * np.sqrt(counts)[:, None]
            scatter = rows.T @ rows - len(x) * np.outer(shift, shift)
            yield Moments(len(x), middle + shift, scatter)


@dataclass(frozen=True)
class Extrapolation:
    """A Frechet distance with all clips, with half of them, and with infinitely many, they say."""

    value: float
    half: float
    infinite: float


def frechet_bias(x: Rows, y: Rows, ddof: int = 1, each: int = 1) -> Extrapolation:
    """How much of a Frechet distance is the number of clips.

    It falls as 1 / n towards that of the distributions, so that with the distance of halves (every
    second clip, the mean of both halves) that of infinitely many is 2 FD(n) - FD(n / 2).
    (Chong & Forsyth 2020, section 3, with two points) Halves with fewer clips than features fall
    short of 1 / n, and the extrapolation is still too far.
    """
    whole = frechet_distance(Moments.of(x), Moments.of(y), ddof)
    halves = []
    for first in (0, 1):
        a, b = (Moments.of(_every_second(z, first, each)) for z in (x, y))
        halves.append(frechet_distance(a, b, ddof))
    half = float(np.mean(halves))
    return Extrapolation(whole, half, 2 * whole - half)


def _every_second(x: Rows, first: int, each: int) -> Rows:
    """The rows of every second clip, so that sorted clips are in both halves."""
    return x.reshape(-1, each, x.shape[1])[first::2].reshape(-1, x.shape[1])


def _times_log(p: np.ndarray) -> np.ndarray:
    return p * np.log(np.where(p > 0, p, 1.0))


def _enough(*clips: int) -> None:
    if min(clips) < 2:
        raise ValueError(f"a standard error needs at least 2 clips, there are {min(clips)}")
