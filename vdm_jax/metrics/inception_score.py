"""The inception score of clips, from a classifier's probabilities."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float

Probabilities = Float[np.ndarray, "n k"]


@dataclass(frozen=True)
class InceptionScore:
    """exp(mean_i KL(p(y | x_i) || mean_j p(y | x_j)))  (Salimans et al. 2016, section 4).

    The score is at most the number of classes, and at most the number of clips per split.

    splits: number of consecutive splits; the score is the mean of their scores.
    shuffle: seed of the shuffling before splitting; None keeps the order.
    epsilon: added inside both logarithms.
    """

    splits: int = 1
    shuffle: int | None = None
    epsilon: float = 0.0

    def __call__(self, p: Probabilities) -> tuple[float, float]:
        """(mean, standard deviation with ddof 0) over the splits."""
        p = check_probabilities(p)
        if len(p) < self.splits:
            raise ValueError(f"{len(p)} clips cannot make {self.splits} splits: give more clips")
        if self.shuffle is not None:  # RandomState, as in the published code
            p = p[np.random.RandomState(self.shuffle).permutation(len(p))]
        ends = [i * len(p) // self.splits for i in range(self.splits + 1)]
        scores = [np.exp(self.divergence(p[a:b])) for a, b in pairwise(ends)]
        return float(np.mean(scores)), float(np.std(scores))

    def divergence(self, p: Probabilities) -> float:
        """The mean KL divergence of the clips' distributions from their mean, in nats."""
        mean = p.mean(axis=0, keepdims=True)
        each = _times_log(p, p + self.epsilon) - _times_log(p, mean + self.epsilon)
        return float(each.sum(axis=1).mean())


TGAN = InceptionScore(epsilon=1e-7)
"""Saito et al. 2017: 10,000 samples."""
TGANV2 = InceptionScore(epsilon=1e-20)
"""Saito et al. 2020: 2,048 samples, mean and standard deviation over 10 sets."""
STYLEGAN_V = InceptionScore(splits=10, shuffle=42)
"""Skorokhodov et al. 2022, `isv2048_ucf`: 2,048 samples."""
MAGVIT = InceptionScore()
"""Yu et al. 2023: 10,000 samples, mean and standard deviation over 4 sets."""


def probabilities(logits: Float[np.ndarray, "n k"]) -> Probabilities:
    """The softmax of logits, in float64."""
    logits = np.asarray(logits, np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def check_probabilities(p: Probabilities) -> Probabilities:
    """The probabilities in float64.

    Raises:
      ValueError: a row is not a probability distribution.
    """
    p = np.asarray(p, np.float64)
    if p.ndim != 2 or not len(p):
        raise ValueError(f"the inception score needs probabilities [n k], not shape {p.shape}")
    valid = (p >= 0).all(axis=1) & (np.abs(p.sum(axis=1) - 1) < 1e-3)
    if not valid.all():
        first = int(np.flatnonzero(~valid)[0])
        raise ValueError(
            f"row {first} is not a probability distribution (sum {p[first].sum():.4g}, smallest "
            f"{p[first].min():.4g}): convert logits with `probabilities`"
        )
    return p


def _times_log(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """p log q, 0 where p is 0."""
    return p * np.log(np.where(p > 0, q, 1.0))
