"""Selections of the real clips of a protocol: all, the first by name, or random ones."""

import typing
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int


@typing.runtime_checkable
class ReferenceSampling(typing.Protocol):
    """A frozen dataclass that selects among `n` clips, sorted by name."""

    def __call__(self, n: int, rng: np.random.Generator) -> Int[np.ndarray, " m"]:
        """The sorted indices of the selected clips, with repeats."""
        ...


@dataclass(frozen=True)
class All:
    """All clips."""

    def __call__(self, n: int, rng: np.random.Generator) -> Int[np.ndarray, " m"]:
        return np.arange(n)


@dataclass(frozen=True)
class SortedFirst:
    """The first `count` clips by name, as in StyleGAN-V.

    2048 clips of UCF-101's train and test lists together cover 16 of the 101 classes.
    """

    count: int

    def __call__(self, n: int, rng: np.random.Generator) -> Int[np.ndarray, " m"]:
        return np.arange(min(n, self.count))


@dataclass(frozen=True)
class WithoutReplacement:
    """`count` random clips without replacement, or all if there are fewer."""

    count: int

    def __call__(self, n: int, rng: np.random.Generator) -> Int[np.ndarray, " m"]:
        return np.sort(rng.permutation(n)[: self.count])


@dataclass(frozen=True)
class WithReplacement:
    """`count` random clips with replacement."""

    count: int

    def __call__(self, n: int, rng: np.random.Generator) -> Int[np.ndarray, " m"]:
        return np.sort(rng.integers(0, n, self.count))


@dataclass(frozen=True)
class EvenlySpaced:
    """Evenly spaced windows of each video, from its first frame to its last.

    A policy for `Real.windows`, like those of `vdm_jax.data`.

    windows: number of windows per video; a single one is in the middle.
    """

    windows: int

    def count(self, starts: Int[np.ndarray, " n"], span: int) -> Int[np.ndarray, " n"]:
        return np.full_like(starts, self.windows)

    def range(self, starts: int, span: int, number: int) -> tuple[int, int]:
        last = starts - 1
        start = last // 2 if self.windows == 1 else number * last // (self.windows - 1)
        return start, start
