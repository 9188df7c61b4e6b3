"""Rows that are either a clip or a pack of independent images."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from vdm_jax.data.mixtures import draw
from vdm_jax.data.sources import Element, Size, Source, Split, common_value


@dataclass(frozen=True)
class Packed:
    """Clips of `videos`; in training the share `share` of them gives way to packs of images.

    A pack is as many independent images as a clip has frames, each with a caption of its own:
    frames of `images` (None: of the other videos). Unlike `Loader.images`, which appends, a row is
    all video or all images. (Ho et al. 2022, Imagen Video, section 2.4)
    """

    videos: Source
    images: Source | None = None
    share: float = 0.25

    def __post_init__(self):
        if not 0 <= self.share <= 1:
            raise ValueError(f"Packed.share is {self.share}: it is a probability, 0 to 1")
        if self.images is not None:
            common_value((self.videos, self.images), "size", "Packed")

    @property
    def frames(self) -> int:
        return self.videos.frames

    @property
    def size(self) -> Size:
        return self.videos.size

    @property
    def clips_in_row(self) -> int:
        """How many examples a row has room for: an image for each frame."""
        return self.frames

    def clips(self, split: str) -> "Split":
        """Rows of split "train", or the clips of "held_out"."""
        clips = self.videos.clips(split)
        if split != "train":
            return clips
        pool = clips if self.images is None else self.images.clips(split)
        return Rows(clips, pool, self.frames, self.share)


@dataclass(frozen=True)
class Rows:
    """The clips of a split and, where chance says so, packs of images of the `pool`."""

    split: Split
    pool: Split
    frames: int
    share: float

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> Element:
        return self.split[index]

    def draw(self, index: int, rng: np.random.Generator) -> Any:
        """A row of `frames` frames with `segments` [f], and as many captions and labels."""
        if rng.random() < self.share:
            places = rng.integers(len(self.pool), size=self.frames)
            members = [draw(self.pool, int(place), rng) for place in places]
            chosen = [m["video"][int(rng.integers(len(m["video"])))] for m in members]
            video, segments = np.stack(chosen), np.arange(self.frames, dtype=np.int32)
        else:
            members = [draw(self.split, index, rng)]
            video, segments = members[0]["video"], np.zeros(self.frames, np.int32)
        row: dict[str, Any] = {
            "video": video,
            "segments": segments,
            "key": "+".join(member["key"] for member in members),
        }
        rest = self.frames - len(members)  # places that no frame refers to
        if all("label" in member for member in members):
            labels = [int(member.get("label", -1)) for member in members]
            row["label"] = np.array(labels + rest * [-1], np.int32)
        if all("caption" in member for member in members):
            row["caption"] = (*(member.get("caption", "") for member in members), *rest * [""])
        return row
