"""Maximum mean discrepancies (MMD) between sets of features: KVD, KID, JEDi."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Vectors = Float[np.ndarray, "n d"]
OtherVectors = Float[np.ndarray, "m d"]
BLOCK = 1024
"""Rows of a kernel matrix in memory at a time."""


@dataclass(frozen=True)
class PolynomialKernel:
    """k(x, y) = (gamma x . y + constant)^degree.

    The defaults give the kernel of KID (Binkowski et al. 2018, eq. 3) and of KVD.

    degree: the exponent.
    gamma: the scale of the inner product; None is 1 / d for features of d dimensions.
    constant: the offset.
    """

    degree: int = 3
    gamma: float | None = None
    constant: float = 1.0

    def __call__(self, x: Vectors, y: OtherVectors) -> Float[np.ndarray, "n m"]:
        gamma = 1 / x.shape[1] if self.gamma is None else self.gamma
        return (gamma * (x @ y.T) + self.constant) ** self.degree

    def total(self, x: Vectors, y: OtherVectors) -> float:
        """The sum of k over all pairs."""
        return float(sum(self(block, y).sum() for block in _blocks(x)))

    def diagonal(self, x: Vectors) -> Float[np.ndarray, "n"]:
        """k(x_i, x_i)."""
        gamma = 1 / x.shape[1] if self.gamma is None else self.gamma
        return (gamma * np.square(x).sum(axis=1) + self.constant) ** self.degree


CUBIC = PolynomialKernel()
"""The kernel of KVD and KID."""
JEDI = PolynomialKernel(degree=2, constant=0.0)
"""The kernel of JEDi over V-JEPA features (Luo et al. 2024)."""


def unbiased_mmd(x: Vectors, y: OtherVectors, kernel: PolynomialKernel = CUBIC) -> float:
    """The unbiased MMD^2, without pairs of a clip with itself; may be negative.

    sum_{i != j} k(x_i, x_j) / (m (m - 1)) + the same of y - 2 mean k(x, y)
    (Gretton et al. 2012, eq. 3; Unterthiner et al. 2018 for KVD)
    """
    x, y = _pair(x, y)
    within = 0.0
    for z in (x, y):
        within += (kernel.total(z, z) - kernel.diagonal(z).sum()) / (len(z) * (len(z) - 1))
    return within - 2 * kernel.total(x, y) / (len(x) * len(y))


def biased_mmd(x: Vectors, y: OtherVectors, kernel: PolynomialKernel = CUBIC) -> float:
    """The biased MMD^2 over all pairs, never negative (Gretton et al. 2012, eq. 5).

    JEDi is 100 times this with the kernel `JEDI`.
    """
    x, y = _pair(x, y)
    within = sum(kernel.total(z, z) / len(z) ** 2 for z in (x, y))
    return within - 2 * kernel.total(x, y) / (len(x) * len(y))


def mmd_in_blocks(
    x: Vectors, y: OtherVectors, kernel: PolynomialKernel = CUBIC, largest: int = 1024
) -> tuple[float, float]:
    """The mean of `unbiased_mmd` over consecutive blocks, and its standard error, as in tf-gan.

    The number of blocks is the smallest that gives blocks of at most `largest` features. Sizes
    differ by at most one, larger blocks last. The error of a single block is NaN.
    """
    x, y = _pair(x, y)
    blocks = -(-max(len(x), len(y)) // largest)
    split = [_split(z, blocks) for z in (x, y)]
    distances = [unbiased_mmd(a, b, kernel) for a, b in zip(*split, strict=True)]
    error = np.std(distances, ddof=1) / np.sqrt(blocks) if blocks > 1 else np.nan
    return float(np.mean(distances)), float(error)


def mmd_in_subsets(
    x: Vectors,
    y: OtherVectors,
    kernel: PolynomialKernel = CUBIC,
    subsets: int = 100,
    size: int = 1000,
    seed: int = 0,
) -> float:
    """The mean of `unbiased_mmd` over random subsets without replacement, as in clean-fid."""
    x, y = _pair(x, y)
    size, rng = min(size, len(x), len(y)), np.random.default_rng(seed)
    distances = []
    for _ in range(subsets):
        a, b = (z[rng.choice(len(z), size, replace=False)] for z in (x, y))
        distances.append(unbiased_mmd(a, b, kernel))
    return float(np.mean(distances))


def _split(x: Vectors, blocks: int) -> list[Float[np.ndarray, "_ d"]]:
    size, more = divmod(len(x), blocks)
    ends = np.cumsum([size + (i >= blocks - more) for i in range(blocks)])
    return np.split(x, ends[:-1])


def _blocks(x: Vectors) -> Iterator[Float[np.ndarray, "_ d"]]:
    for start in range(0, len(x), BLOCK):
        yield x[start : start + BLOCK]


def _pair(x: Vectors, y: OtherVectors) -> tuple[Vectors, OtherVectors]:
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(
            f"a kernel distance needs features [n d] and [m d], not {x.shape} and {y.shape}"
        )
    if min(len(x), len(y)) < 2:
        raise ValueError(f"a kernel distance needs 2 clips per set, not {len(x)} and {len(y)}")
    return x, y
