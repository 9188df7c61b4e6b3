"""Packed batch elements: each is either a clip or a pack of independent images."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from vdm_jax.data.sources import (
    Element,
    PackedSource,
    RandomSplit,
    Size,
    Source,
    Split,
    check_equal,
    draw,
)


@dataclass(frozen=True)
class Packed(PackedSource):
    """Clips of `videos`, some of which are replaced by packs of images in training.

    A pack has as many independent images as a clip has frames, each with its own caption. Unlike
    `Loader.images`, which appends images, a batch element is all video or all images.
    (Ho et al. 2022, Imagen Video, section 2.4)

    videos: source of the clips.
    images: source of the images, of which random frames are taken; None takes frames of `videos`.
    share: probability that a batch element is a pack.
    """

    videos: Source
    images: Source | None = None
    share: float = 0.25

    def __post_init__(self):
        if not 0 <= self.share <= 1:
            raise ValueError(f"Packed.share is {self.share}: it must be a probability, 0 to 1")
        if self.images is not None:
            check_equal((self.videos, self.images), "size", "Packed")

    @property
    def frames(self) -> int:
        return self.videos.frames

    @property
    def size(self) -> Size:
        return self.videos.size

    @property
    def clips_per_element(self) -> int:
        """The number of captions and labels of an element: one for each frame."""
        return self.frames

    def clips(self, split: str) -> Split:
        """Clips and packs of split "train", or the clips of "held_out"."""
        clips = self.videos.clips(split)
        if split != "train":
            return clips
        pool = clips if self.images is None else self.images.clips(split)
        return PackedClips(clips, pool, self.frames, self.share)


@dataclass(frozen=True)
class PackedClips(RandomSplit):
    """The clips of a `split`, replaced by packs of images of the `pool` at random."""

    split: Split
    pool: Split
    frames: int
    share: float

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> Element:
        return self.split[index]

    def draw(self, index: int, rng: np.random.Generator) -> Any:
        """An element of `frames` frames with `segments` [f], and as many captions and labels."""
        if rng.random() < self.share:
            places = rng.integers(len(self.pool), size=self.frames)
            members = [draw(self.pool, int(place), rng) for place in places]
            images = [m["video"][int(rng.integers(len(m["video"])))] for m in members]
            video, segments = np.stack(images), np.arange(self.frames, dtype=np.int32)
        else:
            members = [draw(self.split, index, rng)]
            video, segments = members[0]["video"], np.zeros(self.frames, np.int32)
        element: dict[str, Any] = {
            "video": video,
            "segments": segments,
            "key": "+".join(member["key"] for member in members),
        }
        padding = self.frames - len(members)  # labels and captions that no frame refers to
        if all("label" in member for member in members):
            labels = [int(member.get("label", -1)) for member in members]
            element["label"] = np.array(labels + padding * [-1], np.int32)
        if all("caption" in member for member in members):
            captions = (member.get("caption", "") for member in members)
            element["caption"] = (*captions, *padding * [""])
        return element
