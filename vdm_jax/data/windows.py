"""Which clips of a video are taken: policies of where a window of frames may begin.

A policy says of a video with `starts` possible first frames 0, .., starts - 1 how many clips an
epoch takes of it, and between which first frames each of them may begin. Where it may begin at
several, training draws one at random, and evaluation takes the one in the middle.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int


@runtime_checkable
class Windows(Protocol):
    """A policy; `span` is from the first frame of a clip to its last, both counted."""

    def count(self, starts: Int[np.ndarray, " n"], span: int) -> Int[np.ndarray, " n"]:
        """How many clips are taken of videos with so many possible first frames (1 or more)."""
        ...

    def range(self, starts: int, span: int, number: int) -> tuple[int, int]:
        """The lowest and highest first frame of the clip `number` of a video."""
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
    """Clips `step` frames apart; side by side where it is None.

    With step=1 an epoch is every clip there is, once: uniform over clips, so that a long video
    weighs more than a short one.
    """

    step: int | None = None

    def __post_init__(self):
        if self.step is not None and self.step < 1:
            raise ValueError(f"EveryWindow.step is {self.step}: it is at least 1, or None")

    def count(self, starts: Int[np.ndarray, " n"], span: int) -> Int[np.ndarray, " n"]:
        return -(-starts // (self.step or span))

    def range(self, starts: int, span: int, number: int) -> tuple[int, int]:
        start = number * (self.step or span)
        return start, start
