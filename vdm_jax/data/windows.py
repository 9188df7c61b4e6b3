"""Window policies: which clips are taken of a video.

The window of a clip is the range of first frames at which it may start. Training draws a random
first frame of the range, evaluation takes the middle one.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int


@runtime_checkable
class Windows(Protocol):
    """A policy for videos with `starts` possible first frames 0, .., starts - 1.

    `span` is the number of frames from the first of a clip to its last, inclusive.
    """

    def count(self, starts: Int[np.ndarray, " n"], span: int) -> Int[np.ndarray, " n"]:
        """The number of clips an epoch takes of each video; `starts` is at least 1."""
        ...

    def range(self, starts: int, span: int, number: int) -> tuple[int, int]:
        """The lowest and highest first frame of clip `number` of a video."""
        ...


@dataclass(frozen=True)
class RandomWindow:
    """One clip of each video, anywhere in it: uniform over videos."""

    def count(self, starts: Int[np.ndarray, " n"], span: int) -> Int[np.ndarray, " n"]:
        return np.ones_like(starts)

    def range(self, starts: int, span: int, number: int) -> tuple[int, int]:
        return 0, starts - 1


@dataclass(frozen=True)
class First:
    """The first clip of each video."""

    def count(self, starts: Int[np.ndarray, " n"], span: int) -> Int[np.ndarray, " n"]:
        return np.ones_like(starts)

    def range(self, starts: int, span: int, number: int) -> tuple[int, int]:
        return 0, 0


@dataclass(frozen=True)
class Center:
    """The clip in the middle of each video."""

    def count(self, starts: Int[np.ndarray, " n"], span: int) -> Int[np.ndarray, " n"]:
        return np.ones_like(starts)

    def range(self, starts: int, span: int, number: int) -> tuple[int, int]:
        return (starts - 1) // 2, (starts - 1) // 2


@dataclass(frozen=True)
class EveryWindow:
    """Clips at regular distances.

    step: distance between first frames; None places clips side by side. With 1, an epoch is every
      possible clip once: uniform over clips, so long videos weigh more than short ones.
    """

    step: int | None = None

    def __post_init__(self):
        if self.step is not None and self.step < 1:
            raise ValueError(f"EveryWindow.step is {self.step}: it must be at least 1, or None")

    def count(self, starts: Int[np.ndarray, " n"], span: int) -> Int[np.ndarray, " n"]:
        return -(-starts // (self.step or span))

    def range(self, starts: int, span: int, number: int) -> tuple[int, int]:
        start = number * (self.step or span)
        return start, start
