"""The real clips of a protocol: their videos, positions and preprocessing."""

import zlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from vdm_jax import data
from vdm_jax.data.videos import UnreadableVideo, at_rate
from vdm_jax.metrics.resizing import PixelStep
from vdm_jax.protocols.cropping import CENTER, apply_steps
from vdm_jax.protocols.reference_sampling import All, ReferenceSampling
from vdm_jax.protocols.video_files import Collection, VideoFile

Position = tuple[float, float]


@dataclass(frozen=True)
class Real:
    """The real clips of a protocol.

    dataset: the data set.
    split: its split.
    frames: frames per clip.
    stride: distance between frames.
    fps: frame rate to which videos are resampled; None keeps their frames.
    windows: the windows of each video that are clips.
    take: the selection among all clips.
    short: the treatment of videos that are too short.
    pixels: steps from a decoded frame to a clip's, uint8 at the end.
    crop_positions: positions of `Crop`, each a clip of its own; None is one random position.
    videos: number of videos of the split, else there is a warning; None is any number.
    rates: frame rates of the data set, else videos are refused; () is any rate.
    seed: seed of random windows, positions and selections, together with the video's name.
    """

    dataset: str
    split: str
    frames: int = 16
    stride: int = 1
    fps: float | None = None
    windows: data.Windows = data.RandomWindow()
    take: ReferenceSampling = All()
    short: data.Short = data.Drop()
    pixels: tuple[PixelStep, ...] = ()
    crop_positions: tuple[Position, ...] | None = (CENTER,)
    videos: int | None = None
    rates: tuple[float, ...] = ()
    seed: int = 0

    @property
    def span(self) -> int:
        """The number of frames from the first to the last of a clip, inclusive."""
        return (self.frames - 1) * self.stride + 1

    def clips(self, collection: Collection) -> "RealClips":
        """The clips of these videos.

        Raises:
          ValueError: a video has another frame rate, or all are too short; names it.
        """
        self._check_rates(collection)
        timelines = [self._timeline(video) for video in collection.videos]
        lengths = np.array([len(timeline) for timeline in timelines])
        usable = self.short.usable(lengths, self.span)
        if not usable.any():
            longest = collection.videos[int(lengths.argmax())]
            raise ValueError(
                f"no video of {collection.path} has the {self.span} frames of a clip; the longest "
                f"is {longest.key} with {lengths.max()}: give longer videos"
            )
        starts = np.where(usable, np.maximum(1, lengths - self.span + 1), 1)
        crops = 1 if self.crop_positions is None else len(self.crop_positions)
        ends = np.cumsum(self.windows.count(starts, self.span) * crops * usable)
        taken = self.take(int(ends[-1]), np.random.default_rng(self.seed))
        too_short = tuple(collection.videos[i].key for i in np.flatnonzero(~usable))
        return RealClips(self, collection, timelines, starts, ends, taken, too_short)

    def _timeline(self, video: VideoFile) -> Int[np.ndarray, " n"]:
        if self.fps is None:
            return np.arange(video.frames)
        if video.times is None:
            raise ValueError(
                f"{video.key} has no frame rate, and real clips are resampled to {self.fps:g} "
                "frames per second: give video files, or --set protocol.real.fps=None if the rate "
                "is right"
            )
        return at_rate(video.times, self.fps)

    def _check_rates(self, collection: Collection) -> None:
        if not self.rates:
            return
        for video in collection.videos:
            if video.fps and min(abs(video.fps - rate) for rate in self.rates) > 0.05:
                rates = " or ".join(f"{rate:g}" for rate in self.rates)
                raise ValueError(
                    f"{video.key} has {video.fps:.4g} frames per second, and videos of "
                    f"{self.dataset} have {rates}: give the original files, or accept any rate "
                    "with --set protocol.real.rates=()"
                )


@dataclass(frozen=True, eq=False)
class RealClips:
    """The real clips of a protocol, read one at a time.

    real: the rules.
    collection: the videos.
    timelines: the frame numbers of each video, at the protocol's rate.
    starts: number of possible first frames per video.
    ends: cumulative number of clips per video.
    taken: indices of the selected clips.
    too_short: names of the videos that are too short.
    """

    real: Real
    collection: Collection
    timelines: list[np.ndarray]
    starts: Int[np.ndarray, " n"]
    ends: Int[np.ndarray, " n"]
    taken: Int[np.ndarray, " m"]
    too_short: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.taken)

    def videos(self) -> list[VideoFile]:
        """The video of each clip."""
        return [self.collection.videos[self._number(i)] for i in self.taken]

    def warnings(self) -> list[str]:
        """Deviations of the real clips from the protocol."""
        real, videos, skipped = self.real, self.collection.videos, self.collection.skipped
        warnings = []
        if real.videos is not None and len(videos) != real.videos:
            warnings.append(
                f"{real.dataset} {real.split} has {real.videos} videos and the folder has "
                f"{len(videos)}"
            )
        if skipped:
            key, reason = next(iter(skipped.items()))
            warnings.append(f"{len(skipped)} real videos are unreadable; {key}: {reason}")
        if self.too_short:
            warnings.append(
                f"{len(self.too_short)} real videos have fewer than {real.span} frames, the first "
                f"is {self.too_short[0]}: {type(real.short).__name__}"
            )
        wanted = getattr(real.take, "count", None)
        if wanted is not None and len(self) < wanted:
            warnings.append(f"the protocol needs {wanted} real clips and there are {len(self)}")
        return warnings

    def __getitem__(self, index: int) -> data.Element:
        """A clip.

        Raises:
          ValueError: its video cannot be decoded; names it.
        """
        real, item = self.real, int(self.taken[index])
        number = self._number(item)
        item -= int(self.ends[number - 1]) if number else 0
        file, timeline = self.collection.videos[number], self.timelines[number]
        window, crop = divmod(item, 1 if real.crop_positions is None else len(real.crop_positions))
        # Seeded by the clip alone, independently of the other videos of the folder.
        repeat = index - int(np.searchsorted(self.taken, self.taken[index]))
        rng = np.random.default_rng((real.seed, zlib.crc32(file.key.encode()), window, repeat))
        low, high = real.windows.range(int(self.starts[number]), real.span, window)
        start = int(rng.integers(low, high + 1))
        positions = real.crop_positions
        position = tuple(rng.random(2)) if positions is None else positions[crop]
        wanted = start + real.stride * np.arange(real.frames)
        wanted = real.short.frames(wanted, len(timeline))
        numbers = timeline[np.minimum(wanted, len(timeline) - 1)]
        try:
            unique, inverse = np.unique(numbers, return_inverse=True)
            frames = file.read(unique)[inverse]
        except UnreadableVideo as error:
            raise ValueError(
                f"{self.collection.path}: {file.key} cannot be decoded, {error}: replace the "
                "file, or remove it from the folder"
            ) from error
        video = apply_steps(frames, real.pixels, position)
        return {"video": video, "key": f"{file.key}@{start}"}

    def _number(self, item: int | np.integer) -> int:
        return int(np.searchsorted(self.ends, item, side="right"))
