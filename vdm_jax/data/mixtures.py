"""Several sources as one: mixed clip by clip, or an image source beside a video source."""

from dataclasses import dataclass

import numpy as np

from vdm_jax.data.sources import (
    Element,
    ImageSplit,
    RandomSplit,
    Size,
    Source,
    Split,
    check_equal,
    draw,
)


@dataclass(frozen=True)
class Mixture:
    """Clips of several `sources` of one shape, in proportion to `weights`.

    Each source is shuffled and repeated separately: none of its clips repeats before all have
    appeared. Labels are dropped, since sources number their classes differently; clips without a
    caption get an empty one. The held-out clips are those of all sources, one after another.
    """

    sources: tuple[Source, ...]
    weights: tuple[float, ...]

    def __post_init__(self):
        if len(self.sources) != len(self.weights) or not self.sources:
            raise ValueError(
                f"Mixture: {len(self.sources)} sources and {len(self.weights)} weights; each "
                "source needs one"
            )
        if min(self.weights) <= 0:
            raise ValueError(f"Mixture.weights are {self.weights}: they must be positive")
        check_equal(self.sources, "frames", "Mixture")
        check_equal(self.sources, "size", "Mixture")

    @property
    def frames(self) -> int:
        return self.sources[0].frames

    @property
    def size(self) -> Size:
        return self.sources[0].size

    def clips(self, split: str) -> "MixtureClips":
        """The clips of split "train" or "held_out" of all sources."""
        members = tuple(UnlabeledClips(s.clips(split)) for s in self.sources)
        return MixtureClips(members, self.weights)


@dataclass(frozen=True)
class UnlabeledClips(RandomSplit, ImageSplit):
    """The clips of a split as members of a mixture: without labels, all with captions."""

    split: Split

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> Element:
        return _as_member(self.split[index])

    def draw(self, index: int, rng: np.random.Generator) -> Element:
        """Clip `index` as training sees it."""
        return _as_member(draw(self.split, index, rng))

    @property
    def images(self) -> Split:
        """The split of images to append: the split's own, or its clips."""
        split = self.split
        return UnlabeledClips(split.images if isinstance(split, ImageSplit) else split)


def _as_member(element: Element) -> Element:
    return {
        "video": element["video"],
        "key": element["key"],
        "caption": element.get("caption", ""),
    }


@dataclass(frozen=True)
class MixtureClips:
    """Members to draw in proportion to `weights`; an index counts one member after another."""

    members: tuple[Split, ...]
    weights: tuple[float, ...]

    def __len__(self) -> int:
        return sum(map(len, self.members))

    def __getitem__(self, index: int) -> Element:
        for member in self.members:
            if 0 <= index < len(member):
                return member[index]
            index -= len(member)
        raise IndexError(f"clip {index + len(self)} of {len(self)}")


@dataclass(frozen=True)
class WithImages:
    """Clips of `videos`, to which the loader appends images from the source `images`.

    Ho et al. 2022, section 3, with separate images instead of frames of other videos.
    """

    videos: Source
    images: Source

    def __post_init__(self):
        if self.images.frames != 1:
            raise ValueError(
                f"WithImages.images has clips of {self.images.frames} frames: an image has one"
            )
        check_equal((self.videos, self.images), "size", "WithImages")

    @property
    def frames(self) -> int:
        return self.videos.frames

    @property
    def size(self) -> Size:
        return self.videos.size

    def clips(self, split: str) -> Split:
        """The clips of split "train", with their images, or of "held_out", without."""
        clips = self.videos.clips(split)
        if split != "train":
            return clips
        with_images: ImageSplit = ClipsWithImages(clips, self.images.clips(split))
        return with_images


@dataclass(frozen=True)
class ClipsWithImages(RandomSplit):
    """The clips of a split, and the `images` to append to them."""

    split: Split
    images: Split

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> Element:
        return self.split[index]

    def draw(self, index: int, rng: np.random.Generator) -> Element:
        """Clip `index` as training sees it."""
        return draw(self.split, index, rng)
