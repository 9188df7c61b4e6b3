"""Distances between sets of features by the mean of a kernel: KVD, KID and JEDi's."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Rows = Float[np.ndarray, "n d"]
ROWS = 1024
"""Rows of a kernel matrix in memory at a time."""


@dataclass(frozen=True)
class Polynomial:
    """k(x, y) = (gamma x . y + constant)^degree; gamma is 1 / d where it is None.

    As it is, the kernel of KID (Binkowski et al. 2018, eq. 3) and of KVD.
    """

    degree: int = 3
    gamma: float | None = None
    constant: float = 1.0

    def __call__(self, x: Rows, y: Rows) -> Float[np.ndarray, "n m"]:
        gamma = 1 / x.shape[1] if self.gamma is None else self.gamma
        return (gamma * (x @ y.T) + self.constant) ** self.degree

    def total(self, x: Rows, y: Rows) -> float:
        """The sum over all pairs."""
        return float(sum(self(part, y).sum() for part in _parts(x)))

    def diagonal(self, x: Rows) -> Float[np.ndarray, "n"]:
        """k(x_i, x_i)."""
        gamma = 1 / x.shape[1] if self.gamma is None else self.gamma
        return (gamma * np.square(x).sum(axis=1) + self.constant) ** self.degree


CUBIC = Polynomial()
"""Of KVD and KID."""
JEDI = Polynomial(degree=2, constant=0.0)
"""Luo et al. 2024 (JEDi), over V-JEPA features."""


def unbiased(x: Rows, y: Rows, kernel: Polynomial = CUBIC) -> float:
    """MMD^2, of which pairs of a clip with itself are left out; may be negative.

    sum_{i != j} k(x_i, x_j) / (m (m - 1)) + the same of y - 2 mean k(x, y)
    (Gretton et al. 2012, eq. 3; Unterthiner et al. 2018 for KVD)
    """
    x, y = _pair(x, y)
    within = 0.0
    for z in (x, y):
        within += (kernel.total(z, z) - kernel.diagonal(z).sum()) / (len(z) * (len(z) - 1))
    return within - 2 * kernel.total(x, y) / (len(x) * len(y))


def biased(x: Rows, y: Rows, kernel: Polynomial = CUBIC) -> float:
    """MMD^2 with every mean over all pairs, not negative (Gretton et al. 2012, eq. 5).

    JEDi is 100 times this with the kernel `JEDI`.
    """
    x, y = _pair(x, y)
    within = sum(kernel.total(z, z) / len(z) ** 2 for z in (x, y))
    return within - 2 * kernel.total(x, y) / (len(x) * len(y))


def in_blocks(
    x: Rows, y: Rows, kernel: Polynomial = CUBIC, largest: int = 1024
) -> tuple[float, float]:
    """The mean of `unbiased` over blocks of both sets in order, and its standard error: tf-gan's.

    As many blocks as make the larger set's at most `largest`; sizes differ by at most one, the
    larger blocks last. The error is NaN of a single block.
    """
    x, y = _pair(x, y)
    blocks = -(-max(len(x), len(y)) // largest)
    parts = [_split(z, blocks) for z in (x, y)]
    found = [unbiased(a, b, kernel) for a, b in zip(*parts, strict=True)]
    error = np.std(found, ddof=1) / np.sqrt(blocks) if blocks > 1 else np.nan
    return float(np.mean(found)), float(error)


def in_subsets(
    x: Rows,
    y: Rows,
    kernel: Polynomial = CUBIC,
    subsets: int = 100,
    size: int = 1000,
    seed: int = 0,
) -> float:
    """The mean of `unbiased` over random subsets of both sets without repetition: clean-fid's."""
    x, y = _pair(x, y)
    size, rng = min(size, len(x), len(y)), np.random.default_rng(seed)
    found = []
    for _ in range(subsets):
        a, b = (z[rng.choice(len(z), size, replace=False)] for z in (x, y))
        found.append(unbiased(a, b, kernel))
    return float(np.mean(found))


def _split(x: Rows, blocks: int) -> list[Rows]:
    size, more = divmod(len(x), blocks)
    ends = np.cumsum([size + (i >= blocks - more) for i in range(blocks)])
    return np.split(x, ends[:-1])


def _parts(x: Rows) -> Iterator[Rows]:
    for start in range(0, len(x), ROWS):
        yield x[start : start + ROWS]


def _pair(x: Rows, y: Rows) -> tuple[Rows, Rows]:
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"features {x.shape} and {y.shape} cannot be compared: [n d] and [m d]")
    if min(len(x), len(y)) < 2:
        raise ValueError(f"a kernel distance needs 2 clips of each, not {len(x)} and {len(y)}")
    return x, y
