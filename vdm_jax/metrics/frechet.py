"""The Frechet distance between two sets of features, from moments accumulated over batches."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Num


@dataclass(frozen=True)
class Moments:
    """Count, mean and centered second moment of features, in float64.

    Start from `Moments.empty(d)` and `update` with batches.

    count: number of features.
    mean: their mean.
    scatter: sum_i (y_i - mean)(y_i - mean)^T.
    """

    count: int
    mean: Float[np.ndarray, "d"]
    scatter: Float[np.ndarray, "d d"]

    @classmethod
    def empty(cls, d: int) -> "Moments":
        """The moments of no features of `d` dimensions."""
        return cls(0, np.zeros(d), np.zeros((d, d)))

    @classmethod
    def of(cls, features: Num[np.ndarray, "b d"]) -> "Moments":
        """The moments of one set of features."""
        features = np.asarray(features, np.float64)
        if features.ndim != 2:
            raise ValueError(f"features must be [b d], not of shape {features.shape}")
        broken = np.flatnonzero(~np.isfinite(features).all(axis=1))
        if broken.size:
            raise ValueError(
                f"the features of {broken.size} of {len(features)} clips are not finite "
                f"(first: clip {broken[0]}): check the clips and the feature network for NaN"
            )
        if not len(features):
            return cls.empty(features.shape[1])
        mean = features.mean(axis=0)
        return cls(len(features), mean, (features - mean).T @ (features - mean))

    def update(self, features: Num[np.ndarray, "b d"]) -> "Moments":
        """The moments of these features and one more batch."""
        return self.merge(Moments.of(features))

    def merge(self, other: "Moments") -> "Moments":
        """The moments of both sets together (Chan, Golub and LeVeque 1979, eq. 2.1)."""
        _same_features(self, other)
        count = self.count + other.count
        if not count:
            return self
        delta = other.mean - self.mean
        weight = self.count * other.count / count
        return Moments(
            count,
            self.mean + delta * (other.count / count),
            self.scatter + other.scatter + weight * np.outer(delta, delta),
        )

    def covariance(self, ddof: int = 1) -> Float[np.ndarray, "d d"]:
        """scatter / (count - ddof); ddof 1 is unbiased, StyleGAN-V and cd-fvd use 0."""
        if self.count < 2:
            raise ValueError(f"a covariance needs at least 2 clips, not {self.count}")
        return self.scatter / (self.count - ddof)


def frechet_distance(a: Moments, b: Moments, ddof: int = 1) -> float:
    """|m_a - m_b|^2 + tr S_a + tr S_b - 2 tr (S_a S_b)^(1/2)  (Heusel et al. 2017, eq. 6).

    The trace of the root equals that of (h S_b h)^(1/2) with h = S_a^(1/2). Both are symmetric, so
    rank-deficient covariances (fewer clips than features) need no regularization.
    """
    _same_features(a, b)
    cov_a, cov_b = a.covariance(ddof), b.covariance(ddof)
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    crossed = np.clip(np.linalg.eigvalsh(root @ cov_b @ root), 0, None)
    means = np.square(a.mean - b.mean).sum()
    return float(means + np.trace(cov_a) + np.trace(cov_b) - 2 * np.sqrt(crossed).sum())


def _same_features(a: Moments, b: Moments) -> None:
    if a.mean.shape != b.mean.shape:
        raise ValueError(
            f"features of {a.mean.size} and {b.mean.size} dimensions cannot be compared: "
            "use the same features on both sides"
        )
