"""`Clips`: a built data set as a source."""

import logging
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from vdm_jax.data.caption_choices import Captions, RandomCaption
from vdm_jax.data.crops import CenterCrop, Crop
from vdm_jax.data.shards import Records, Shards, find_dataset, record_video
from vdm_jax.data.short_videos import Drop, Short
from vdm_jax.data.sources import Element, RandomSplit, Size, check_split, sides
from vdm_jax.data.videos import UnreadableVideo, at_rate, read
from vdm_jax.data.windows import Center, RandomWindow, Windows

log = logging.getLogger("vdm_jax.data")


@dataclass(frozen=True)
class Clips:
    """Clips of a data set built with `python -m data.build`.

    All random choices are a function of the loader's seed, the epoch and the clip. Elements have
    labels and captions if the data set has them.

    dataset: its name, or name and variant (`ucf101/64px_crf18`).
    split: the data set's split for training.
    held_out: the data set's split for evaluation, or None.
    path: folder of the built data sets, or a remote one.
    frames: frames of a clip.
    size: height and width in pixels; one number is a square.
    stride: distance between the frames of a clip, in frames of the (resampled) video.
    fps: rate to resample videos to, by the nearest frame; None keeps their own.
    windows: which clips of a video form an epoch.
    held_out_windows: the same for held-out videos.
    short: treatment of videos that are shorter than a clip.
    captions: which caption a clip gets.
    crop: resizes and crops frames.
    flip: probability of a mirror image (off by default: it swaps "left" and "right").
    least_side: videos with a shorter short side, in pixels, are left out, so that a bucket of large
      frames has no upscaled ones.
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
                raise ValueError(f"Clips.{field} is {getattr(self, field)}: it must be at least 1")
        if self.fps is not None and self.fps <= 0:
            raise ValueError(f"Clips.fps is {self.fps}: it must be positive, or None")
        if not 0 <= self.flip <= 1:
            raise ValueError(f"Clips.flip is {self.flip}: it must be a probability, 0 to 1")

    @property
    def span(self) -> int:
        """The number of frames from the first of a clip to its last, inclusive."""
        return (self.frames - 1) * self.stride + 1

    @cached_property
    def shards(self) -> Shards:
        """The data set on disk; opened on first use."""
        return find_dataset(self.path, self.dataset)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels 0, 1, ...; empty without labels."""
        return self.shards.classes

    def clips(self, split: str) -> "DatasetClips":
        """The clips of "train", with random choices, or of "held_out"."""
        if check_split(split) == "train":
            return RandomDatasetClips(self, self.windows, self.shards.records(self.split))
        if self.held_out is None:
            raise ValueError(
                f"nothing of {self.dataset} is held out: set Clips.held_out to one of its splits"
            )
        groups = self.shards.shard_groups
        if set(groups(self.held_out)) & set(groups(self.split)):
            raise ValueError(
                f"the splits {self.split!r} and {self.held_out!r} of {self.dataset} share clips: "
                "choose another Clips.split, or set Clips.held_out to None"
            )
        return DatasetClips(self, self.held_out_windows, self.shards.records(self.held_out))


class DatasetClips:
    """The clips that a window policy takes from records, without random choices."""

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
        u_start: float | None,
        u_crop: tuple[float, float],
        mirrored: bool,
        u_caption: float,
    ) -> Element:
        """The clip at `index`.

        u_start, u_crop, u_caption: random numbers in [0, 1) that choose the first frame within its
          window, the crop and the caption; `u_start` None is the middle of the window.
        mirrored: whether to mirror the frames.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"clip {index} of {len(self)}")
        source = self.source
        number = int(np.searchsorted(self.ends, index, side="right"))
        item = index - (int(self.ends[number - 1]) if number else 0)
        window, copy = divmod(item, int(self.copies[number]))
        low, high = self.windows.range(int(self.starts[number]), source.span, window)
        start = (low + high) // 2 if u_start is None else low + int(u_start * (high - low + 1))
        record = self.records[number]
        element: Element = {
            "video": self._frames(record, start, u_crop, mirrored),
            "key": f"{record['key'][0].decode()}@{start}",
        }
        if record.get("label", [-1])[0] >= 0:
            element["label"] = np.int32(record["label"][0])
        if record.get("captions"):
            caption = source.captions.choose(record, copy, u_caption)
            element["caption"] = record["captions"][caption].decode()
        return element

    def _frames(
        self, record: dict, start: int, u_crop: tuple[float, float], mirrored: bool
    ) -> np.ndarray:
        source, encoded = self.source, record_video(record)
        positions = start + source.stride * np.arange(source.frames)
        if source.fps is None:
            frames = source.short.frames(positions, len(encoded))
        else:
            timeline = at_rate(encoded.times, source.fps)
            positions = source.short.frames(positions, len(timeline))
            # The index has float32 seconds, so its frame count can be one too high.
            frames = timeline[np.minimum(positions, len(timeline) - 1)]
        try:
            target_size = partial(source.crop.target_size, size=source.size)
            video = read(encoded, frames, target_size, source.crop.filter)
        except UnreadableVideo as error:
            key = record["key"][0].decode()
            raise ValueError(
                f"{self.records.folder}: {key} was readable when it was built, but {error}; the "
                "shards are damaged: build or copy them again"
            ) from error
        height, width = sides(source.size)
        room = (video.shape[1] - height, video.shape[2] - width)
        top, left = source.crop.corner(room, u_crop)
        video = video[:, top : top + height, left : left + width]
        return np.ascontiguousarray(video[:, :, ::-1] if mirrored else video)


class RandomDatasetClips(DatasetClips, RandomSplit):
    """The clips for training, with random windows, crops, mirror images and captions."""

    def draw(self, index: int, rng: np.random.Generator) -> Element:
        """Clip `index`, with every random choice taken from `rng`."""
        u_start, u_down, u_across, u_flip, u_caption = rng.random(5)
        mirrored = bool(u_flip < self.source.flip)
        return self._clip(index, float(u_start), (u_down, u_across), mirrored, float(u_caption))
