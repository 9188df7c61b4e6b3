"""Random subclips: small parts of large clips in space and time."""

from dataclasses import dataclass

import numpy as np

from vdm_jax.data.sources import (
    Element,
    RandomSplit,
    Source,
    Split,
    SubclipSplit,
    Window,
    draw,
    sides,
)


@dataclass(frozen=True)
class RandomSubclips:
    """Random subclips of the clips of `source`.

    The position of a held-out subclip is a function of its index. If the split is a `SubclipSplit`,
    only the subclip is made.

    source: the large clips.
    frames: consecutive frames of a subclip.
    size: height and width of a subclip in pixels.
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
                f"RandomSubclips: clips of {whole} (frames, height, width) have no subclip of "
                f"{self.frames} frames of {self.size}x{self.size} pixels"
            )

    def clips(self, split: str) -> "Subclips":
        """The subclips of split "train" or "held_out"."""
        return Subclips(self, self.source.clips(split))


@dataclass(frozen=True)
class Subclips(RandomSplit):
    """One split of `RandomSubclips`."""

    source: RandomSubclips
    split: Split

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> Element:
        return self.draw(index, np.random.default_rng(index))

    def draw(self, index: int, rng: np.random.Generator) -> Element:
        """A random subclip of clip `index`."""
        whole = (self.source.source.frames, *sides(self.source.source.size))
        lengths = (self.source.frames, self.source.size, self.source.size)
        starts = [int(rng.integers(a - p + 1)) for a, p in zip(whole, lengths, strict=True)]
        window = Window(*(range(s, s + n) for s, n in zip(starts, lengths, strict=True)))
        if isinstance(self.split, SubclipSplit):
            return self.split.subclip(index, window)
        element = draw(self.split, index, rng)
        cut = tuple(slice(axis.start, axis.stop) for axis in window)
        return {**element, "video": np.ascontiguousarray(element["video"][cut])}
