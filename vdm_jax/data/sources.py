"""Data sources: splits of clips with random access.

`Source` and `Split` are what every source provides. The other protocols are optional abilities; the
loader and the wrappers test for them with `isinstance`.
"""

from collections.abc import Sequence
from typing import NamedTuple, NotRequired, Protocol, TypedDict, runtime_checkable

import numpy as np
from jaxtyping import UInt8


class Element(TypedDict):
    """One clip before batching; `label` and `caption` are present if the source has them."""

    video: UInt8[np.ndarray, "f h w c"]
    key: str
    label: NotRequired[np.int32]
    caption: NotRequired[str]


Size = int | tuple[int, int]
"""Height and width of a frame in pixels; one number is a square."""


def sides(size: Size) -> tuple[int, int]:
    """(height, width) of a frame."""
    return (size, size) if isinstance(size, int) else size


class Window(NamedTuple):
    """The frames, rows and columns of a subclip."""

    frames: range
    rows: range
    columns: range


@runtime_checkable
class Split(Protocol):
    """One split of a source: random access, deterministic, picklable."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Element: ...


@runtime_checkable
class RandomSplit(Split, Protocol):
    """A split with random choices (window, crop, caption), which training draws."""

    def draw(self, index: int, rng: np.random.Generator) -> Element:
        """Clip `index`, with every random choice taken from `rng`."""
        ...


@runtime_checkable
class SubclipSplit(Split, Protocol):
    """A split that can make part of a clip without making all of it."""

    def subclip(self, index: int, window: Window) -> Element:
        """The `window` of clip `index`."""
        ...


@runtime_checkable
class ImageSplit(Split, Protocol):
    """A split with a separate split of images, from which the loader appends images to clips."""

    @property
    def images(self) -> Split: ...


@runtime_checkable
class Source(Protocol):
    """A source of clips of `frames` frames of `size` pixels."""

    @property
    def frames(self) -> int: ...

    @property
    def size(self) -> Size: ...

    def clips(self, split: str) -> Split:
        """The clips of split "train" or "held_out", which have no frame in common."""
        ...


@runtime_checkable
class PackedSource(Source, Protocol):
    """A source whose elements hold several independent clips (packed images)."""

    @property
    def clips_per_element(self) -> int:
        """The number of captions and labels of an element."""
        ...


@runtime_checkable
class StridedSource(Source, Protocol):
    """A source that takes every `stride`-th frame of a video."""

    @property
    def stride(self) -> int: ...


@runtime_checkable
class ResampledSource(Source, Protocol):
    """A source that resamples videos to `fps` frames a second; None keeps their own rate."""

    @property
    def fps(self) -> float | None: ...


def draw(clips: Split, index: int, rng: np.random.Generator) -> Element:
    """Clip `index` as training sees it: drawn if the split has random choices."""
    return clips.draw(index, rng) if isinstance(clips, RandomSplit) else clips[index]


def check_split(split: str) -> str:
    """`split` itself; a `ValueError` for an unknown split."""
    if split not in ("train", "held_out"):
        raise ValueError(f"unknown split {split!r}: it is 'train' or 'held_out'")
    return split


def check_equal(sources: Sequence[Source], field: str, user: str) -> None:
    """Raises a `ValueError` if `sources` differ in a `field` in which `user` needs them equal."""
    if len({getattr(source, field) for source in sources}) > 1:
        values = ", ".join(f"{type(s).__name__}.{field}={getattr(s, field)}" for s in sources)
        raise ValueError(f"{user}: its sources differ in {field} ({values}); make them equal")
