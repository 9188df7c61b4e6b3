"""A folder of videos as a source of clips."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from vdm_jax.data.crops import CenterCrop, Crop
from vdm_jax.data.folders import Folder, open_folder
from vdm_jax.data.sources import Element, Size, check_split, sides
from vdm_jax.data.videos import Unreadable


@dataclass(frozen=True)
class VideoFolder:
    """Clips of the videos anywhere under `path`, and of its images where `frames` is 1.

    A clip is `frames` frames of `size` pixels (a square, or height and width), `stride` apart in
    the video as it is or, with `fps`, in the video resampled to that rate (the nearest frame by
    its time stamp).

    The label is the sub-folder, counted in case-insensitive order; there are labels if every file
    is in a sub-folder. Captions come from the CSV table `captions` (columns file,caption; its path
    relative to `path`) or from a .txt or .json file beside each video; if any video has one,
    those without are skipped.

    Training draws windows from the first part of each video, in an epoch as many as cover it, with
    a `crop` and, with probability `flip`, mirrored (which turns what "left" means: off by default).
    The last `held_out` of each video, at least one clip, is read in windows side by side. Of the
    videos too short to be divided that share is held out whole, at least one of two.

    Files that cannot be used are skipped and named in the log "vdm_jax.data". As many videos as
    fit into `cache_bytes` once resized are kept in memory, in each process that reads.
    """

    path: str
    frames: int = 16
    size: Size = 64
    stride: int = 1
    fps: float | None = None
    crop: Crop = CenterCrop()
    flip: float = 0.0
    held_out: float = 0.1
    captions: str | None = None
    cache_bytes: int = 1 << 30

    def __post_init__(self):
        for field in ("frames", "size", "stride"):
            if min(sides(getattr(self, field))) < 1:
                raise ValueError(f"VideoFolder.{field} is {getattr(self, field)}: it is at least 1")
        if self.fps is not None and self.fps <= 0:
            raise ValueError(f"VideoFolder.fps is {self.fps}: it is positive, or None")
        if not 0 <= self.flip <= 1:
            raise ValueError(f"VideoFolder.flip is {self.flip}: it is a probability, 0 to 1")
        if not 0 <= self.held_out < 1:
            raise ValueError(f"VideoFolder.held_out is {self.held_out}: it is at least 0, below 1")

    @property
    def span(self) -> int:
        """From the first frame of a clip to its last, both counted."""
        return (self.frames - 1) * self.stride + 1

    @cached_property
    def opened(self) -> Folder:
        """The folder, listed and looked into when it is first needed."""
        return open_folder(
            self.path,
            table=self.captions,
            images=self.frames == 1,
            fps=self.fps,
            span=self.span,
            held_out=self.held_out,
            resized=partial(self.crop.resized, size=self.size),
            filter=self.crop.filter,
            cache_bytes=self.cache_bytes,
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels 0, 1, ...: sub-folders. None where there are no labels."""
        return self.opened.classes

    def clips(self, split: str) -> "Windows":
        """The clips of "train" (which has `draw` for random windows) or of "held_out"."""
        span, files = self.span, self.opened.files
        if check_split(split) == "train":
            windows = [
                (number, min(start, file.cut - span))
                for number, file in enumerate(files)
                for start in range(0, file.cut, span)
            ]
            return RandomWindows(self, np.array(windows))
        windows = [
            (number, start)
            for number, file in enumerate(files)
            for start in range(file.cut, len(file.timeline) - span + 1, span)
        ]
        if not windows:
            raise ValueError(
                f"{self.path}: with held_out={self.held_out} nothing is held out of {len(files)} "
                f"usable videos, for a clip spans {span} frames: add videos, or make held_out "
                "larger, or frames or stride smaller"
            )
        return Windows(self, np.array(windows))


@dataclass(frozen=True, eq=False)
class Windows:
    """Clips at the places `windows` [n 2] = (file, first frame); nothing in them is random."""

    source: VideoFolder
    windows: np.ndarray

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> Element:
        if not 0 <= index < len(self):
            raise IndexError(f"clip {index} of {len(self)}")
        return self._readable(
            index, lambda file, start: self._clip(file, start, (0.5, 0.5), False, 0.0)
        )

    def _readable(self, index: int, clip: Callable[[int, int], Element]) -> Element:
        """The clip at `index`, or at the first index after it whose file can be decoded."""
        failed = set()
        for step in range(len(self)):
            number, start = map(int, self.windows[(index + step) % len(self)])
            if number not in failed:
                try:
                    return clip(number, start)
                except Unreadable:
                    failed.add(number)
        raise ValueError(f"{self.source.path}: none of {len(failed)} files can be decoded")

    def _clip(
        self, number: int, start: int, place: tuple[float, float], mirrored: bool, voice: float
    ) -> Element:
        """The clip at frame `start` of a file, its crop at `place`, `voice` choosing a
        caption."""
        source, file = self.source, self.source.opened.files[number]
        positions = start + source.stride * np.arange(source.frames)
        video = source.opened.read(number, positions)
        height, width = sides(source.size)
        room = (video.shape[1] - height, video.shape[2] - width)
        top, left = source.crop.corner(room, place)
        video = video[:, top : top + height, left : left + width]
        video = video[:, :, ::-1] if mirrored else video
        element: Element = {
            "video": np.ascontiguousarray(video),
            "key": f"{file.key}@{start}",
        }
        if file.label is not None:
            element["label"] = np.int32(file.label)
        if file.captions:
            element["caption"] = file.captions[int(voice * len(file.captions))]
        return element


class RandomWindows(Windows):
    """Clips for training: at any place in the part of their file that is not held out."""

    def draw(self, index: int, rng: np.random.Generator) -> Element:
        """A random window of the file of clip `index`, with random crop, mirror and caption."""
        when, down, across, mirror, voice = rng.random(5)

        def clip(number: int, _: int) -> Element:
            starts = self.source.opened.files[number].cut - self.source.span + 1
            mirrored = bool(mirror < self.source.flip)
            return self._clip(number, int(when * starts), (down, across), mirrored, voice)

        return self._readable(index, clip)
