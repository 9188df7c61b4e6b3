"""`VideoFolder`: a folder of videos as a source of clips."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from vdm_jax.data.crops import CenterCrop, Crop
from vdm_jax.data.folders import Folder, open_folder
from vdm_jax.data.sources import Element, RandomSplit, Size, check_split, sides
from vdm_jax.data.videos import UnreadableVideo


@dataclass(frozen=True)
class VideoFolder:
    """Clips of the videos at any depth under `path`, and of its images if `frames` is 1.

    Labels number the sub-folders in case-insensitive order; there are labels if every file is in a
    sub-folder. Captions come from a CSV table, or from a .txt or .json file beside each video; if
    any video has one, those without are skipped. Unusable files are skipped and named in the log
    "vdm_jax.data".

    Training draws random windows from the first part of each video; an epoch has as many as cover
    that part. The rest is held out, and read in consecutive windows.

    path: the folder.
    frames: frames of a clip.
    size: height and width in pixels; one number is a square.
    stride: distance between the frames of a clip, in frames of the (resampled) video.
    fps: rate to resample videos to, by the nearest frame; None keeps their own.
    crop: resizes and crops frames.
    flip: probability of a mirror image (off by default: it swaps "left" and "right").
    held_out: fraction of each video to hold out, at least one clip; videos too short to divide are
      held out whole in that fraction, at least one of two.
    captions: the CSV table (columns file,caption; its path relative to `path`), or None.
    cache_bytes: memory for decoded videos, in bytes, in each process that reads.
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
                value = getattr(self, field)
                raise ValueError(f"VideoFolder.{field} is {value}: it must be at least 1")
        if self.fps is not None and self.fps <= 0:
            raise ValueError(f"VideoFolder.fps is {self.fps}: it must be positive, or None")
        if not 0 <= self.flip <= 1:
            raise ValueError(f"VideoFolder.flip is {self.flip}: it must be a probability, 0 to 1")
        if not 0 <= self.held_out < 1:
            raise ValueError(
                f"VideoFolder.held_out is {self.held_out}: it must be at least 0 and below 1"
            )

    @property
    def span(self) -> int:
        """The number of frames from the first of a clip to its last, inclusive."""
        return (self.frames - 1) * self.stride + 1

    @cached_property
    def folder(self) -> Folder:
        """The folder, listed and probed on first use."""
        return open_folder(
            self.path,
            table=self.captions,
            images=self.frames == 1,
            fps=self.fps,
            span=self.span,
            held_out=self.held_out,
            target_size=partial(self.crop.target_size, size=self.size),
            filter=self.crop.filter,
            cache_bytes=self.cache_bytes,
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels 0, 1, ...: sub-folders; empty without labels."""
        return self.folder.classes

    def clips(self, split: str) -> "FolderClips":
        """The clips of "train", with random windows, or of "held_out"."""
        span, files = self.span, self.folder.files
        if check_split(split) == "train":
            windows = [
                (number, min(start, file.train_frames - span))
                for number, file in enumerate(files)
                for start in range(0, file.train_frames, span)
            ]
            return RandomFolderClips(self, np.array(windows))
        windows = [
            (number, start)
            for number, file in enumerate(files)
            for start in range(file.train_frames, len(file.timeline) - span + 1, span)
        ]
        if not windows:
            raise ValueError(
                f"{self.path}: with held_out={self.held_out} nothing is held out of {len(files)} "
                f"usable videos, since a clip spans {span} frames: add videos, increase held_out, "
                "or decrease frames or stride"
            )
        return FolderClips(self, np.array(windows))


@dataclass(frozen=True, eq=False)
class FolderClips:
    """Clips at `windows` [n 2] = (file, first frame), without random choices."""

    source: VideoFolder
    windows: np.ndarray

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> Element:
        if not 0 <= index < len(self):
            raise IndexError(f"clip {index} of {len(self)}")
        return self._first_readable(
            index, lambda file, start: self._clip(file, start, (0.5, 0.5), False, 0.0)
        )

    def _first_readable(self, index: int, clip: Callable[[int, int], Element]) -> Element:
        """The clip at `index`, or at the first index after it whose file can be decoded."""
        failed = set()
        for step in range(len(self)):
            number, start = map(int, self.windows[(index + step) % len(self)])
            if number not in failed:
                try:
                    return clip(number, start)
                except UnreadableVideo:
                    failed.add(number)
        raise ValueError(f"{self.source.path}: none of {len(failed)} files can be decoded")

    def _clip(
        self,
        number: int,
        start: int,
        u_crop: tuple[float, float],
        mirrored: bool,
        u_caption: float,
    ) -> Element:
        """The clip at frame `start` of a file.

        u_crop, u_caption: random numbers in [0, 1) that choose the crop and the caption.
        mirrored: whether to mirror the frames.
        """
        source, file = self.source, self.source.folder.files[number]
        positions = start + source.stride * np.arange(source.frames)
        video = source.folder.read(number, positions)
        height, width = sides(source.size)
        room = (video.shape[1] - height, video.shape[2] - width)
        top, left = source.crop.corner(room, u_crop)
        video = video[:, top : top + height, left : left + width]
        video = video[:, :, ::-1] if mirrored else video
        element: Element = {
            "video": np.ascontiguousarray(video),
            "key": f"{file.key}@{start}",
        }
        if file.label is not None:
            element["label"] = np.int32(file.label)
        if file.captions:
            element["caption"] = file.captions[int(u_caption * len(file.captions))]
        return element


class RandomFolderClips(FolderClips, RandomSplit):
    """Clips for training: random windows of the training part of their file."""

    def draw(self, index: int, rng: np.random.Generator) -> Element:
        """A random window of the file of clip `index`, with random crop, mirror and caption."""
        u_start, u_down, u_across, u_flip, u_caption = rng.random(5)

        def clip(number: int, _: int) -> Element:
            starts = self.source.folder.files[number].train_frames - self.source.span + 1
            mirrored = bool(u_flip < self.source.flip)
            return self._clip(
                number, int(u_start * starts), (u_down, u_across), mirrored, u_caption
            )

        return self._first_readable(index, clip)
