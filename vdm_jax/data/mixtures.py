"""Several sources as one: mixed clip by clip, or an image source beside a video source."""

from dataclasses import dataclass

import numpy as np

from vdm_jax.data.sources import Element, Size, Source, Split, common_value


@dataclass(frozen=True)
class Mixture:
    """Clips of several `sources` of one shape, in proportion to their `weights`.

    Each source is shuffled and repeated for itself, so that none of its clips comes twice before
    all have come once. Labels are left out, for they mean something else in each source; clips
    without a caption have an empty one. Held out are the clips of all, one source after another.
    """

    sources: tuple[Source, ...]
    weights: tuple[float, ...]

    def __post_init__(self):
        if len(self.sources) != len(self.weights) or not self.sources:
            raise ValueError(
                f"Mixture: {len(self.sources)} sources and {len(self.weights)} weights; each "
                "source has one"
            )
        if min(self.weights) <= 0:
            raise ValueError(f"Mixture.weights are {self.weights}: they are positive")
        common_value(self.sources, "frames", "Mixture")
        common_value(self.sources, "size", "Mixture")

    @property
    def frames(self) -> int:
        return self.sources[0].frames

    @property
    def size(self) -> Size:
        return self.sources[0].size

    def clips(self, split: str) -> "Mixed":
        """The clips of split "train" or "held_out" of all sources."""
        return Mixed(tuple(Unlabeled(s.clips(split)) for s in self.sources), self.weights)


@dataclass(frozen=True)
class Unlabeled:
    """The clips of a split as members of a mixture."""

    split: Split

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> Element:
        return _member(self.split[index])

    def draw(self, index: int, rng: np.random.Generator) -> Element:
        """Clip `index`, with random choices from `rng` where its source leaves any to chance."""
        return _member(draw(self.split, index, rng))

    @property
    def images(self) -> Split:
        """Where images to append come from."""
        return Unlabeled(getattr(self.split, "images", self.split))


def _member(element: Element) -> Element:
    return {
        "video": element["video"],
        "key": element["key"],
        "caption": element.get("caption", ""),
    }


@dataclass(frozen=True)
class Mixed:
    """Members to be drawn in proportion to `weights`; by index, one after another."""

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
    """Clips of `videos`; the images that a loader appends to them come from the source `images`.

    Ho et al. 2022, section 3, with pictures of their own instead of frames of other videos.
    """

    videos: Source
    images: Source

    def __post_init__(self):
        if self.images.frames != 1:
            raise ValueError(
                f"WithImages.images has clips of {self.images.frames} frames: an image has one"
            )
        common_value((self.videos, self.images), "size", "WithImages")

    @property
    def frames(self) -> int:
        return self.videos.frames

    @property
    def size(self) -> Size:
        return self.videos.size

    def clips(self, split: str) -> "Split":
        """The clips of split "train", which know their images, or "held_out", which have none."""
        clips = self.videos.clips(split)
        return Accompanied(clips, self.images.clips(split)) if split == "train" else clips


@dataclass(frozen=True)
class Accompanied:
    """The clips of a split, and the `images` to append to them."""

    split: Split
    images: Split

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> Element:
        return self.split[index]

    def draw(self, index: int, rng: np.random.Generator) -> Element:
        """Clip `index`, with random choices from `rng` where its source leaves any to chance."""
        return draw(self.split, index, rng)


def draw(clips: Split, index: int, rng: np.random.Generator) -> Element:
    """Clip `index` as training sees it."""
    draw = getattr(clips, "draw", None)
    return draw(index, rng) if draw else clips[index]
