"""Clips of a built data set as a source."""

import logging
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from vdm_jax.data.caption_choices import Captions, RandomCaption
from vdm_jax.data.crops import CenterCrop, Crop
from vdm_jax.data.shards import Records, Shards, find, video
from vdm_jax.data.short_videos import Drop, Short
from vdm_jax.data.sources import Element, Size, check_split, sides
from vdm_jax.data.videos import Unreadable, at_rate, read
from vdm_jax.data.windows import Center, RandomWindow, Windows

log = logging.getLogger("vdm_jax.data")


@dataclass(frozen=True)
class Clips:
    """Clips of the data set `dataset`, built in the folder `path` (`python -m data.build`).

    Training sees the data set's own `split`, and evaluation its split `held_out` (None: there is
    none). A clip is `frames` frames of `size` pixels (a square, or height and width), `stride`
    apart in the video as it is or, with `fps`, in the video resampled to that rate (the nearest
    frame by its time stamp).

    `windows` says which clips of a video make an epoch, `held_out_windows` the same of the videos
    held out, `short` what becomes of videos that are too short, and `captions` which caption a clip
    has. Labels are there where the data set has them. Training draws a `crop` and, with probability
    `flip`, a mirror image (which turns what "left" means: off by default). All of it is a function
    of the loader's seed, the epoch and the clip. Videos whose short side has fewer than
    `least_side` pixels are left out, so that a bucket of large pictures holds no enlarged ones.
    """

    dataset: str
    split: str = "train"
    held_out: str | None = "test"
    path: str = "datasets"
    frames: int = 16
    size: Size = 64
    stride: int = 1
    fps: float | None = None
    windows: Windows = RandomWindow()
    held_out_windows: Windows = Center()
    short: Short = Drop()
    captions: Captions = RandomCaption()
    crop: Crop = CenterCrop()
    flip: float = 0.0
    least_side: int = 1

    def __post_init__(self):
        for field in ("frames", "size", "stride", "least_side"):
            if min(sides(getattr(self, field))) < 1:
                raise ValueError(f"Clips.{field} is {getattr(self, field)}: it is at least 1")
        if self.fps is not None and self.fps <= 0:
            raise ValueError(f"Clips.fps is {self.fps}: it is positive, or None")
        if not 0 <= self.flip <= 1:
            raise ValueError(f"Clips.flip is {self.flip}: it is a probability, 0 to 1")

    @property
    def span(self) -> int:
        """From the first frame of a clip to its last, both counted."""
        return (self.frames - 1) * self.stride + 1

    @cached_property
    def shards(self) -> Shards:
        """The data set on disk, found when it is first needed."""
        return find(self.path, self.dataset)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels 0, 1, ...; none where there are no labels."""
        return self.shards.classes

    def clips(self, split: str) -> "Windowed":
        """The clips of "train" (which has `draw` for random choices) or of "held_out"."""
        if check_split(split) == "train":
            return Drawn(self, self.windows, self.shards.records(self.split))
        if self.held_out is None:
            raise ValueError(
                f"nothing of {self.dataset} is held out: set Clips.held_out to one of its splits"
            )
        shared = set(self.shards.parts(self.held_out)) & set(self.shards.parts(self.split))
        if shared:
            raise ValueError(
                f"the splits {self.split!r} and {self.held_out!r} of {self.dataset} share clips: "
                "train on another, or hold out none (Clips.held_out=None)"
            )
        return Windowed(self, self.held_out_windows, self.shards.records(self.held_out))


class Windowed:
    """The clips that a policy takes of some records; nothing in them is random."""

    def __init__(self, source: Clips, windows: Windows, records: Records):
        self.source, self.windows, self.records = source, windows, records
        lengths = records.column("frames").astype(np.int64)
        if source.fps is not None:
            lengths = np.maximum(1, (records.column("seconds") * source.fps + 0.5).astype(np.int64))
        usable = source.short.usable(lengths, source.span)
        if not usable.all():
            log.warning(
                "%d of %d videos of %s are shorter than a clip, which spans %d frames; left out",
                (~usable).sum(), len(usable), source.dataset, source.span,
            )  # fmt: skip
        sides = np.minimum(records.column("height"), records.column("width"))
        usable &= sides >= source.least_side
        self.starts = np.where(usable, np.maximum(1, lengths - source.span + 1), 0)
        self.copies = source.captions.count(records.column("captions").astype(np.int64))
        counts = windows.count(np.maximum(1, self.starts), source.span) * self.copies * usable
        self.ends = np.cumsum(counts)
        if not len(self):
            raise ValueError(
                f"{records.folder} has no clip of {source.frames} frames, {source.stride} apart, "
                f"in {len(lengths)} videos, the longest of {lengths.max(initial=0)} frames, the "
                f"largest with a short side of {sides.max(initial=0)} pixels"
            )

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def __getitem__(self, index: int) -> Element:
        return self._clip(index, None, (0.5, 0.5), False, 0.0)

    def _clip(
        self,
        index: int,
        when: float | None,
        place: tuple[float, float],
        mirrored: bool,
        voice: float,
    ) -> Element:
        """The clip at `index`, begun at the share `when` of what its window allows.

        None is the middle of it; the crop is at `place`, and `voice` chooses a caption.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"clip {index} of {len(self)}")
        source = self.source
        number = int(np.searchsorted(self.ends, index, side="right"))
        item = index - (int(self.ends[number - 1]) if number else 0)
        window, copy = divmod(item, int(self.copies[number]))
        low, high = self.windows.range(int(self.starts[number]), source.span, window)
        start = (low + high) // 2 if when is None else low + int(when * (high - low + 1))
        record = self.records[number]
        element: Element = {
            "video": self._frames(record, start, place, mirrored),
            "key": f"{record['key'][0].decode()}@{start}",
        }
        if record.get("label", [-1])[0] >= 0:
            element["label"] = np.int32(record["label"][0])
        if record.get("captions"):
            told = source.captions.choose(record, copy, voice)
            element["caption"] = record["captions"][told].decode()
        return element

    def _frames(
        self, record: dict, start: int, place: tuple[float, float], mirrored: bool
    ) -> np.ndarray:
        source, encoded = self.source, video(record)
        positions = start + source.stride * np.arange(source.frames)
        if source.fps is None:
            frames = source.short.frames(positions, len(encoded))
        else:
            timeline = at_rate(encoded.times, source.fps)
            positions = source.short.frames(positions, len(timeline))
            # The index rounds seconds to 32 bits, and so may count one frame too many.
            frames = timeline[np.minimum(positions, len(timeline) - 1)]
        try:
            resized = partial(source.crop.resized, size=source.size)
            found = read(encoded, frames, resized, source.crop.filter)
        except Unreadable as error:
            key = record["key"][0].decode()
            raise ValueError(
                f"{self.records.folder}: {key} was good when it was built, and now {error}; the "
                "shards are damaged: build them anew"
            ) from error
        height, width = sides(source.size)
        room = (found.shape[1] - height, found.shape[2] - width)
        top, left = source.crop.corner(room, place)
        found = found[:, top : top + height, left : left + width]
        return np.ascontiguousarray(found[:, :, ::-1] if mirrored else found)


class Drawn(Windowed):
    """The same for training: windows, crops, mirrors and captions at random."""

    def draw(self, index: int, rng: np.random.Generator) -> Element:
        """Clip `index`, with every choice that is left to chance taken from `rng`."""
        when, down, across, mirror, voice = rng.random(5)
        mirrored = bool(mirror < self.source.flip)
        return self._clip(index, float(when), (down, across), mirrored, float(voice))
