"""The clips that a builder lists: name, source of the bytes, and annotations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from data.common.transcoding import encode_lossless
from data.common.videos import UnusableVideo

VIDEOS = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".gif", ".mpg", ".mpeg"})
IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})


class Media(Protocol):
    """The source of a video's bytes."""

    def read(self) -> bytes:
        """The encoded video. Raises `UnusableVideo`."""
        ...

    def details(self) -> dict[str, Any]:
        """Fields of the record that are stored with the video."""
        ...

    def identity(self) -> str:
        """A string that changes when the bytes may have changed."""
        ...


@dataclass(frozen=True)
class File:
    """A video file, stored as it is."""

    path: Path

    def read(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise UnusableVideo(f"it cannot be read: {error.strerror}") from error

    def details(self) -> dict[str, Any]:
        return {}

    def identity(self) -> str:
        try:
            status = self.path.stat()
        except OSError:
            return f"{self.path}"
        return f"{self.path}:{status.st_size}:{status.st_mtime_ns}"


@dataclass(frozen=True)
class Array:
    """Clip `number` of a NumPy file of uint8 frames, along `axis`; stored losslessly."""

    path: Path
    number: int
    axis: int = 0

    def read(self) -> bytes:
        frames = np.load(self.path, mmap_mode="r").take(self.number, self.axis)
        return encode_lossless(np.asarray(frames))

    def details(self) -> dict[str, Any]:
        return {}

    def identity(self) -> str:
        return f"{File(self.path).identity()}[{self.number}]"


@dataclass(frozen=True)
class Item:
    """A clip to build.

    key: name, unique in the data set.
    splits: names of the splits that contain it.
    media: source of its bytes.
    fields: fields of the record beside those of the video.
    span: start and end in seconds of the clip within the video; None is all of it. A video no
      longer than its span counts as already trimmed.
    """

    key: str
    splits: tuple[str, ...]
    media: Media
    fields: Mapping[str, Any] = field(default_factory=dict)
    span: tuple[float, float] | None = None
