"""Which of the clips that there are become the reference: all, the first, some at random."""

import typing
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int


class ReferenceSampling(typing.Protocol):
    """A frozen dataclass that chooses among `n` clips, which stand in the order of their names."""

    def __call__(self, n: int, rng: np.random.Generator) -> Int[np.ndarray, " m"]:
        """The places of those taken, rising; one that is taken twice is there twice."""
        ...


@dataclass(frozen=True)
class All:
    """All of them."""

    def __call__(self, n: int, rng: np.random.Generator) -> Int[np.ndarray, " m"]:
        return np.arange(n)


@dataclass(frozen=True)
class SortedFirst:
    """The first `count` by name, as StyleGAN-V takes them.

    Of UCF-101's train and test lists together, 2048 cover 16 of the 101 classes.
    """

    count: int

    def __call__(self, n: int, rng: np.random.Generator) -> Int[np.ndarray, " m"]:
        return np.arange(min(n, self.count))


@dataclass(frozen=True)
class WithoutReplacement:
    """`count` of them at random, none twice; all where there are no more."""

    count: int

    def __call__(self, n: int, rng: np.random.Generator) -> Int[np.ndarray, " m"]:
        return np.sort(rng.permutation(n)[: self.count])


@dataclass(frozen=True)
class WithReplacement:
    """`count` at random with replacement, so that some are there twice."""

    count: int

    def __call__(self, n: int, rng: np.random.Generator) -> Int[np.ndarray, " m"]:
        return np.sort(rng.integers(0, n, self.count))


@dataclass(frozen=True)
class EvenlySpaced:
    """So many windows of each video, evenly from its first to its last; one is the middle.

    A policy of windows as those of `vdm_jax.data`.
    """

    windows: int

    def count(self, starts: Int[np.ndarray, " n"], span: int) -> Int[np.ndarray, " n"]:
        return np.full_like(starts, self.windows)

    def range(self, starts: int, span: int, number: int) -> tuple[int, int]:
        last = starts - 1
        start = last // 2 if self.windows == 1 else number * last // (self.windows - 1)
        return start, start
