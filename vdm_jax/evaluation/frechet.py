"""The Frechet distance between two sets of features, from moments gathered batch by batch."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Num

from vdm_jax.evaluation.features import Features
from vdm_jax.evaluation.subject import Model, Results, encode, evenly_spaced
from vdm_jax.types import Key


@dataclass(frozen=True)
class Moments:
    """Count, mean and centred second moment of the features seen so far, in float64.

    `scatter` = sum_i (y_i - mean)(y_i - mean)^T. Begin with `Moments.empty(d)`.
    """

    count: int
    mean: Float[np.ndarray, "d"]
    scatter: Float[np.ndarray, "d d"]

    @classmethod
    def empty(cls, d: int) -> "Moments":
        """No features yet."""
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
                f"(first: clip {broken[0]}): look for NaN in the clips or the feature network"
            )
        if not len(features):
            return cls.empty(features.shape[1])
        mean = features.mean(axis=0)
        return cls(len(features), mean, (features - mean).T @ (features - mean))

    def update(self, features: Num[np.ndarray, "b d"]) -> "Moments":
        """These moments and one more batch."""
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
        """scatter / (count - ddof); ddof 1 is unbiased, 0 is what StyleGAN-V and cd-fvd use."""
        if self.count < 2:
            raise ValueError(f"a covariance needs at least 2 clips, there are {self.count}")
        return self.scatter / (self.count - ddof)


def frechet_distance(a: Moments, b: Moments, ddof: int = 1) -> float:
    """|m_a - m_b|^2 + tr S_a + tr S_b - 2 tr (S_a S_b)^(1/2)  (Heusel et al. 2017, eq. 6).

    The trace of the root is that of (h S_b h)^(1/2) with h = S_a^(1/2), both symmetric, so that
    rank-deficient sets (fewer clips than features) need no regularisation.
    """
    _same_features(a, b)
    cov_a, cov_b = a.covariance(ddof), b.covariance(ddof)
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    crossed = np.clip(np.linalg.eigvalsh(root @ cov_b @ root), 0, None)
    means = np.square(a.mean - b.mean).sum()
    return float(means + np.trace(cov_a) + np.trace(cov_b) - 2 * np.sqrt(crossed).sum())


@dataclass(frozen=True)
class FrechetDistance:
    """The Frechet distance of generated clips to as many real clips, under given features.

    Distances shrink like 1 / clips even between equal distributions, so the result holds beside
    the `distance` its `floor`: what as many training clips score against the same held-out ones.

    split: of the real clips; with "train", for data of which little is held out, there is no floor.
    """

    features: Features
    clips: int = 256
    ddof: int = 1
    split: str = "held_out"
    every: int | None = None

    @property
    def name(self) -> str:
        return f"frechet_{self.features.name}"

    def __call__(self, key: Key, subject: Model) -> Results:
        real = evenly_spaced(subject.data, self.split, self.clips)
        reference = self.moments(np.stack([e["video"] for e in real]))
        cond = encode(subject, real)
        generated = self.moments(np.asarray(subject.generate(key, cond, self.clips)))
        results = {"distance": frechet_distance(generated, reference, self.ddof)}
        if self.split != "train":
            train = evenly_spaced(subject.data, "train", self.clips)
            floor = self.moments(np.stack([e["video"] for e in train]))
            results["floor"] = frechet_distance(floor, reference, self.ddof)
        return results | {"clips": self.clips}

    def moments(self, videos: Num[np.ndarray, "b f h w c"], batch: int = 64) -> Moments:
        """The moments of these clips' features, `batch` clips at a time."""
        parts = [self.features(videos[i : i + batch]) for i in range(0, len(videos), batch)]
        moments = Moments.empty(parts[0].shape[1])
        for part in parts:
            moments = moments.update(part)
        return moments


def _same_features(a: Moments, b: Moments) -> None:
    if a.mean.shape != b.mean.shape:
        raise ValueError(
            f"features of {a.mean.size} and {b.mean.size} dimensions cannot be compared: "
            "use the same features on both sides"
        )
