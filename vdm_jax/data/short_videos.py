"""Policies for videos that are shorter than a clip; every clip has its full number of frames."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int


@runtime_checkable
class Short(Protocol):
    """A policy for videos that are shorter than `span`, the frames that a clip spans."""

    def usable(self, lengths: Int[np.ndarray, " n"], span: int) -> Bool[np.ndarray, " n"]:
        """Which videos are used, from their numbers of frames."""
        ...

    def frames(self, positions: Int[np.ndarray, " f"], length: int) -> Int[np.ndarray, " f"]:
        """The frames for `positions`, which may exceed the `length` of a usable video."""
        ...


@dataclass(frozen=True)
class Drop:
    """Leaves short videos out; the log counts them."""

    def usable(self, lengths: Int[np.ndarray, " n"], span: int) -> Bool[np.ndarray, " n"]:
        return lengths >= span

    def frames(self, positions: Int[np.ndarray, " f"], length: int) -> Int[np.ndarray, " f"]:
        return positions


@dataclass(frozen=True)
class Raise(Drop):
    """Raises a ValueError for short videos."""

    def usable(self, lengths: Int[np.ndarray, " n"], span: int) -> Bool[np.ndarray, " n"]:
        if count := int((lengths < span).sum()):
            raise ValueError(
                f"{count} of {len(lengths)} videos are shorter than a clip, which spans {span} "
                f"frames; the shortest has {lengths.min()}. Decrease frames or stride, or choose "
                "short=Drop(), Loop() or RepeatLast()"
            )
        return super().usable(lengths, span)


@dataclass(frozen=True)
class Loop:
    """Repeats short videos from their first frame."""

    def usable(self, lengths: Int[np.ndarray, " n"], span: int) -> Bool[np.ndarray, " n"]:
        return np.ones_like(lengths, bool)

    def frames(self, positions: Int[np.ndarray, " f"], length: int) -> Int[np.ndarray, " f"]:
        return positions % length


@dataclass(frozen=True)
class RepeatLast(Loop):
    """Repeats the last frame of short videos."""

    def frames(self, positions: Int[np.ndarray, " f"], length: int) -> Int[np.ndarray, " f"]:
        return np.minimum(positions, length - 1)
