"""The inception score of clips: confident about each, and of all classes together."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float

Probabilities = Float[np.ndarray, "n k"]


@dataclass(frozen=True)
class InceptionScore:
    """exp(mean_i KL(p(y | x_i) || mean_j p(y | x_j)))  (Salimans et al. 2016, section 4).

    splits: parts of the clips that are scored alone; the score is their mean. At most as high as
    there are classes, or clips of a part. shuffle: seed of the order in which clips are dealt to
    the parts; None leaves them as they come. epsilon: added inside both logarithms.
    """

    splits: int = 1
    shuffle: int | None = None
    epsilon: float = 0.0

    def __call__(self, p: Probabilities) -> tuple[float, float]:
        """The mean over the parts, and their standard deviation (ddof 0: 0 of one part)."""
        p = check_probabilities(p)
        if len(p) < self.splits:
            raise ValueError(f"{len(p)} clips cannot be split into {self.splits} parts")
        if self.shuffle is not None:  # the generator of the published code
            p = p[np.random.RandomState(self.shuffle).permutation(len(p))]
        ends = [i * len(p) // self.splits for i in range(self.splits + 1)]
        parts = [p[a:b] for a, b in pairwise(ends)]
        scores = [np.exp(self.divergence(part)) for part in parts]
        return float(np.mean(scores)), float(np.std(scores))

    def divergence(self, p: Probabilities) -> float:
        """The mean divergence of the rows from their mean, in nats."""
        mean = p.mean(axis=0, keepdims=True)
        each = _times_log(p, p + self.epsilon) - _times_log(p, mean + self.epsilon)
        return float(each.sum(axis=1).mean())


TGAN = InceptionScore(epsilon=1e-7)
"""Saito et al. 2017: 10,000 samples."""
TGANV2 = InceptionScore(epsilon=1e-20)
"""Saito et al. 2020: 2,048 samples, the mean and deviation of 10 such sets."""
STYLEGAN_V = InceptionScore(splits=10, shuffle=42)
"""Skorokhodov et al. 2022, their metric `isv2048_ucf`: 2,048 samples."""
MAGVIT = InceptionScore()
"""Yu et al. 2023: 10,000 samples, the mean and deviation of 4 such sets."""


def probabilities(logits: Float[np.ndarray, "n k"]) -> Probabilities:
    """The softmax, in float64."""
    logits = np.asarray(logits, np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def check_probabilities(p: Probabilities) -> Probabilities:
    """Probabilities in float64.

    Raises:
      ValueError: rows that are no probabilities.
    """
    p = np.asarray(p, np.float64)
    if p.ndim != 2 or not len(p):
        raise ValueError(f"an inception score is of probabilities [n k], not of shape {p.shape}")
    fine = (p >= 0).all(axis=1) & (np.abs(p.sum(axis=1) - 1) < 1e-3)
    if not fine.all():
        first = int(np.flatnonzero(~fine)[0])
        raise ValueError(
            f"row {first} is no probabilities (sum {p[first].sum():.4g}, smallest "
            f"{p[first].min():.4g}): give logits through `probabilities`"
        )
    return p


def _times_log(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """p log q, 0 where p is."""
    return p * np.log(np.where(p > 0, q, 1.0))
