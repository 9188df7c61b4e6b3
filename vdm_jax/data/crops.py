"""Crops: frames of any aspect ratio to frames of `size`, a square or (height, width) in pixels."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from vdm_jax.data.sources import Size, sides
from vdm_jax.data.videos import Filter


@runtime_checkable
class Crop(Protocol):
    """A frame is resized to `target_size(height, width, size)` and cropped at `corner`.

    Published scores depend on the `filter` of the resize.
    """

    @property
    def filter(self) -> Filter: ...

    def target_size(self, height: int, width: int, size: Size) -> tuple[int, int]:
        """The height and width to resize a frame to, both at least those of `size`."""
        ...

    def corner(self, room: tuple[int, int], u: tuple[float, float]) -> tuple[int, int]:
        """The top left pixel of the crop, which can move by `room` pixels down and across.

        `u` is two random numbers in [0, 1); evaluation passes (0.5, 0.5).
        """
        ...


def _cover(height: int, width: int, size: Size) -> tuple[int, int]:
    """The smallest frame of the same aspect ratio that contains one of `size`."""
    h, w = sides(size)
    if h * width >= w * height:
        return h, round(width * h / height)
    return round(height * w / width), w


@dataclass(frozen=True)
class CenterCrop:
    """Resizes one side to that of `size` and takes the middle of the other, longer side."""

    filter: Filter = "lanczos"

    def target_size(self, height: int, width: int, size: Size) -> tuple[int, int]:
        return _cover(height, width, size)

    def corner(self, room: tuple[int, int], u: tuple[float, float]) -> tuple[int, int]:
        return room[0] // 2, room[1] // 2


@dataclass(frozen=True)
class RandomCrop:
    """Resizes one side to that of `size` and takes a random part of the other, longer side."""

    filter: Filter = "lanczos"

    def target_size(self, height: int, width: int, size: Size) -> tuple[int, int]:
        return _cover(height, width, size)

    def corner(self, room: tuple[int, int], u: tuple[float, float]) -> tuple[int, int]:
        return int(u[0] * (room[0] + 1)), int(u[1] * (room[1] + 1))


@dataclass(frozen=True)
class Stretch:
    """Resizes the whole frame to `size`, changing its aspect ratio."""

    filter: Filter = "lanczos"

    def target_size(self, height: int, width: int, size: Size) -> tuple[int, int]:
        return sides(size)

    def corner(self, room: tuple[int, int], u: tuple[float, float]) -> tuple[int, int]:
        return 0, 0


@dataclass(frozen=True)
class RandomPatch:
    """Resizes the frame to cover the size `of` and takes a random part, to train on crops.

    (Saharia et al. 2022, section 2.3: 64 -> 256 crops of 1024 x 1024 images)
    """

    of: Size
    filter: Filter = "lanczos"

    def target_size(self, height: int, width: int, size: Size) -> tuple[int, int]:
        return _cover(height, width, self.of)

    def corner(self, room: tuple[int, int], u: tuple[float, float]) -> tuple[int, int]:
        return int(u[0] * (room[0] + 1)), int(u[1] * (room[1] + 1))
