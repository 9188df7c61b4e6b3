"""From a frame of any proportions to a square of `size` pixels."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@runtime_checkable
class Crop(Protocol):
    """A frame is resized to `resized(height, width, size)` and cut out at `corner`."""

    def resized(self, height: int, width: int, size: int) -> tuple[int, int]:
        """The height and width to resize a frame to, both at least `size`."""
        ...

    def corner(self, room: tuple[int, int], place: tuple[float, float]) -> tuple[int, int]:
        """The top left pixel of the square, which may move by `room` pixels down and across.

        `place` is two random numbers in [0, 1); (0.5, 0.5) stands for no chance at all.
        """
        ...


def _short_side(height: int, width: int, size: int) -> tuple[int, int]:
    short = min(height, width)
    return round(height * size / short), round(width * size / short)


@dataclass(frozen=True)
class CentreCrop:
    """The short side becomes `size`, and the middle of the long side is kept."""

    def resized(self, height: int, width: int, size: int) -> tuple[int, int]:
        return _short_side(height, width, size)

    def corner(self, room: tuple[int, int], place: tuple[float, float]) -> tuple[int, int]:
        return room[0] // 2, room[1] // 2


@dataclass(frozen=True)
class RandomCrop:
    """The short side becomes `size`, and any part of the long side is kept."""

    def resized(self, height: int, width: int, size: int) -> tuple[int, int]:
        return _short_side(height, width, size)

    def corner(self, room: tuple[int, int], place: tuple[float, float]) -> tuple[int, int]:
        return int(place[0] * (room[0] + 1)), int(place[1] * (room[1] + 1))


@dataclass(frozen=True)
class Stretch:
    """The whole frame, its proportions given up."""

    def resized(self, height: int, width: int, size: int) -> tuple[int, int]:
        return size, size

    def corner(self, room: tuple[int, int], place: tuple[float, float]) -> tuple[int, int]:
        return 0, 0
