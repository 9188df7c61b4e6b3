"""Small parts of large clips."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vdm_jax.data.mixtures import draw
from vdm_jax.data.sources import Element, Source, Split, sides


class Window(NamedTuple):
    """Which frames, rows and columns of a clip are seen."""

    frames: range
    rows: range
    columns: range


@dataclass(frozen=True)
class RandomSubclips:
    """Parts of the clips of `source`: `frames` frames on end, a square of `size` pixels.

    Where they lie is random, held-out ones too, whose place is a function of their index. A split
    that can make a part alone, by `part(index, window)`, makes no more.
    """

    source: Source
    frames: int
    size: int

    def __post_init__(self):
        whole = (self.source.frames, *sides(self.source.size))
        if not all(1 <= part <= all_ for part, all_ in zip(
            (self.frames, self.size, self.size), whole, strict=True
        )):  # fmt: skip
            raise ValueError(
                f"Patches: clips of {whole} (frames, height, width) have no part of "
                f"{self.frames} frames of {self.size}x{self.size} pixels"
            )

    def clips(self, split: str) -> "Subclips":
        """The parts of the clips of split "train" or "held_out"."""
        return Subclips(self, self.source.clips(split))


@dataclass(frozen=True)
class Subclips:
    """One split of `RandomSubclips`."""

    patches: RandomSubclips
    split: Split

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> Element:
        return self.draw(index, np.random.default_rng(index))

    def draw(self, index: int, rng: np.random.Generator) -> Element:
        """A random part of clip `index`."""
        whole = (self.patches.source.frames, *sides(self.patches.source.size))
        lengths = (self.patches.frames, self.patches.size, self.patches.size)
        starts = [int(rng.integers(a - p + 1)) for a, p in zip(whole, lengths, strict=True)]
        window = Window(*(range(s, s + n) for s, n in zip(starts, lengths, strict=True)))
        part = getattr(self.split, "part", None)
        if part is not None:
            return part(index, window)
        element = draw(self.split, index, rng)
        cut = tuple(slice(axis.start, axis.stop) for axis in window)
        return {**element, "video": np.ascontiguousarray(element["video"][cut])}
