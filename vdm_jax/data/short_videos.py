"""What becomes of videos that are shorter than a clip. None of these gives fewer frames."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int


@runtime_checkable
class Short(Protocol):
    """A policy for videos of `length` frames where a clip spans `span`."""

    def usable(self, lengths: Int[np.ndarray, " n"], span: int) -> Bool[np.ndarray, " n"]:
        """Which videos are used."""
        ...

    def frames(self, positions: Int[np.ndarray, " f"], length: int) -> Int[np.ndarray, " f"]:
        """The frames at `positions`, which may be past the end of a video that is used."""
        ...


@dataclass(frozen=True)
class Drop:
    """They are left out, and counted in the log."""

    def usable(self, lengths: Int[np.ndarray, " n"], span: int) -> Bool[np.ndarray, " n"]:
        return lengths >= span

    def frames(self, positions: Int[np.ndarray, " f"], length: int) -> Int[np.ndarray, " f"]:
        return positions


@dataclass(frozen=True)
class Raise(Drop):
    """They are an error."""

    def usable(self, lengths: Int[np.ndarray, " n"], span: int) -> Bool[np.ndarray, " n"]:
        if count := int((lengths < span).sum()):
            raise ValueError(
                f"{count} of {len(lengths)} videos are shorter than a clip, which spans {span} "
                f"frames; the shortest has {lengths.min()}. Make frames or stride smaller, or "
                "choose short=Drop(), Loop() or RepeatLast()"
            )
        return super().usable(lengths, span)


@dataclass(frozen=True)
class Loop:
    """They begin again."""

    def usable(self, lengths: Int[np.ndarray, " n"], span: int) -> Bool[np.ndarray, " n"]:
        return np.ones_like(lengths, bool)

    def frames(self, positions: Int[np.ndarray, " f"], length: int) -> Int[np.ndarray, " f"]:
        return positions % length


@dataclass(frozen=True)
class RepeatLast(Loop):
    """They end in their last frame, repeated."""

    def frames(self, positions: Int[np.ndarray, " f"], length: int) -> Int[np.ndarray, " f"]:
        return np.minimum(positions, length - 1)
