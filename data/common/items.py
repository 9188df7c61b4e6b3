"""What a builder lists: each clip's name, where its bytes are, and what is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from data.common.copies import lossless
from data.common.videos import Unusable

VIDEOS = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".gif", ".mpg", ".mpeg"})
IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})


class Media(Protocol):
    """Where the bytes of a video are."""

    def read(self) -> bytes: ...

    def details(self) -> dict[str, Any]:
        """Fields of the record that are told where the bytes are."""
        ...

    def identity(self) -> str:
        """Changes when the bytes may have changed."""
        ...


@dataclass(frozen=True)
class File:
    """A video file as it is."""

    path: Path

    def read(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise Unusable(f"it cannot be read: {error.strerror}") from error

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
    """Clip `number` of a NumPy file of uint8 frames, along `axis`; stored without loss."""

    path: Path
    number: int
    axis: int = 0

    def read(self) -> bytes:
        frames = np.load(self.path, mmap_mode="r").take(self.number, self.axis)
        return lossless(np.asarray(frames))

    def details(self) -> dict[str, Any]:
        return {}

    def identity(self) -> str:
        return f"{File(self.path).identity()}[{self.number}]"


@dataclass(frozen=True)
class Item:
    """A clip to be built: its unique `key`, the `splits` it is in, its fields beside the video.

    With a `span`, from and to which second, the clip is that part of the video; a video that is no
    longer than its span is taken to be cut already.
    """

    key: str
    splits: tuple[str, ...]
    media: Media
    fields: Mapping[str, Any] = field(default_factory=dict)
    span: tuple[float, float] | None = None
