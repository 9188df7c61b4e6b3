"""What a data source is: splits of clips that can be drawn in any order."""

from collections.abc import Sequence
from typing import NotRequired, Protocol, TypedDict, runtime_checkable

import numpy as np
from jaxtyping import UInt8


class Element(TypedDict):
    """One clip before batching. `label` and `caption` are there where the source knows them."""

    video: UInt8[np.ndarray, "f h w c"]
    key: str
    label: NotRequired[np.int32]
    caption: NotRequired[str]


Size = int | tuple[int, int]
"""Height and width of a frame in pixels; one number is a square."""


def sides(size: Size) -> tuple[int, int]:
    """(height, width) of a frame."""
    return (size, size) if isinstance(size, int) else size


@runtime_checkable
class Split(Protocol):
    """One split of a source: random access, deterministic, picklable.

    A split whose clips involve chance (which window, which crop) has one more method,
    `draw(index, rng) -> Element`, which takes every random choice from `rng`; training uses it.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Element: ...


@runtime_checkable
class Source(Protocol):
    """Where clips come from: `frames` of `size` pixels."""

    @property
    def frames(self) -> int: ...

    @property
    def size(self) -> Size: ...

    def clips(self, split: str) -> Split:
        """The clips of split "train" or "held_out", which have no frame in common."""
        ...


def check_split(split: str) -> str:
    """`split` itself, or a `ValueError` where there is no such split."""
    if split not in ("train", "held_out"):
        raise ValueError(f"unknown split {split!r}: it is 'train' or 'held_out'")
    return split


def common_value(sources: Sequence[Source], field: str, user: str) -> None:
    """Raises `ValueError` where `sources` differ in a field that `user` needs to be the same."""
    if len({getattr(source, field) for source in sources}) > 1:
        told = ", ".join(f"{type(s).__name__}.{field}={getattr(s, field)}" for s in sources)
        raise ValueError(f"{user}: its sources differ in {field} ({told}); make them the same")
