"""From a frame of any proportions to one of `size`: a square, or (height, width), in pixels."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from vdm_jax.data.sources import Size, sides
from vdm_jax.data.videos import Filter


@runtime_checkable
class Crop(Protocol):
    """A frame is resized to `resized(height, width, size)` and cut out at `corner`.

    `filter` says how pixels are weighed. Published numbers depend on it: a reference set resized
    otherwise is another distribution.
    """

    @property
    def filter(self) -> Filter: ...

    def resized(self, height: int, width: int, size: Size) -> tuple[int, int]:
        """The height and width to resize a frame to, both at least those of `size`."""
        ...

    def corner(self, room: tuple[int, int], place: tuple[float, float]) -> tuple[int, int]:
        """The top left pixel of what is cut out, which may move by `room` pixels down and across.

        `place` is two random numbers in [0, 1); (0.5, 0.5) stands for no chance at all.
        """
        ...


def _cover(height: int, width: int, size: Size) -> tuple[int, int]:
    """The smallest frame of the same proportions that holds one of `size`."""
    h, w = sides(size)
    if h * width >= w * height:
        return h, round(width * h / height)
    return round(height * w / width), w


@dataclass(frozen=True)
class CenterCrop:
    """One side becomes that of `size`, and the middle of the other, longer one is kept."""

    filter: Filter = "lanczos"

    def resized(self, height: int, width: int, size: Size) -> tuple[int, int]:
        return _cover(height, width, size)

    def corner(self, room: tuple[int, int], place: tuple[float, float]) -> tuple[int, int]:
        return room[0] // 2, room[1] // 2


@dataclass(frozen=True)
class RandomCrop:
    """One side becomes that of `size`, and any part of the other, longer one is kept."""

    filter: Filter = "lanczos"

    def resized(self, height: int, width: int, size: Size) -> tuple[int, int]:
        return _cover(height, width, size)

    def corner(self, room: tuple[int, int], place: tuple[float, float]) -> tuple[int, int]:
        return int(place[0] * (room[0] + 1)), int(place[1] * (room[1] + 1))


@dataclass(frozen=True)
class Stretch:
    """The whole frame, its proportions given up."""

    filter: Filter = "lanczos"

    def resized(self, height: int, width: int, size: Size) -> tuple[int, int]:
        return sides(size)

    def corner(self, room: tuple[int, int], place: tuple[float, float]) -> tuple[int, int]:
        return 0, 0


@dataclass(frozen=True)
class RandomPatch:
    """Any part of the frame, as it is seen at the size `of`: for models of crops.

    (Saharia et al. 2022, section 2.3: 64 -> 256 crops of 1024 x 1024 images)
    """

    of: Size
    filter: Filter = "lanczos"

    def resized(self, height: int, width: int, size: Size) -> tuple[int, int]:
        return _cover(height, width, self.of)

    def corner(self, room: tuple[int, int], place: tuple[float, float]) -> tuple[int, int]:
        return int(place[0] * (room[0] + 1)), int(place[1] * (room[1] + 1))
