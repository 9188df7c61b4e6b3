"""The samples of a protocol: their number and prompts, and which of their frames are measured."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vdm_jax import data
from vdm_jax.data.videos import UnreadableVideo
from vdm_jax.metrics.resizing import PixelStep
from vdm_jax.protocols.cropping import apply_steps
from vdm_jax.protocols.prompts import Prompt, PromptSource, Unconditional, VideoInfo
from vdm_jax.protocols.real import Real
from vdm_jax.protocols.video_files import Collection, VideoFile


@dataclass(frozen=True)
class Generated:
    """The samples of a protocol.

    count: number of samples per repeat; None is the number of prompts.
    prompts: the source of the prompts.
    each: consecutive samples per prompt.
    frames: number of measured frames, from the first on.
    stride: distance between measured frames.
    source: real clips from which the samples are made, in their order; None if there are none.
    given: first frames of `source` that the model is given; all frames is reconstruction.
    size: of the samples, in pixels; other sizes give a warning. None is any size.
    pixels: steps from a sample's frames to the measured ones, uint8 at the end.
    """

    count: int | None = 2048
    prompts: PromptSource = Unconditional()
    each: int = 1
    frames: int = 16
    stride: int = 1
    source: Real | None = None
    given: int = 0
    size: data.Size | None = None
    pixels: tuple[PixelStep, ...] = ()

    @property
    def span(self) -> int:
        """The number of frames from the first to the last measured frame, inclusive."""
        return (self.frames - 1) * self.stride + 1

    def make_prompts(self, real: Sequence[VideoInfo], repeats: int = 1) -> list[Prompt]:
        """The prompt of each sample, in order, of all repeats one after the other.

        Prompts from real videos continue from one repeat to the next; classes are equal in each.

        Raises:
          ValueError: the prompts are captions and a real video has none.
        """
        if self.count is None or not self.prompts.needs_real:
            return self._repeated(self.count, real) * repeats
        return self._repeated(self.count * repeats, real)

    def _repeated(self, count: int | None, real: Sequence[VideoInfo]) -> list[Prompt]:
        unique = self.prompts.make_prompts(None if count is None else -(-count // self.each), real)
        return [prompt for prompt in unique for _ in range(self.each)][:count]

    def clips(self, collection: Collection, most: int | None = None) -> "GeneratedClips":
        """The measured clips of samples in files, at most `most`, in the order of their names.

        Raises:
          ValueError: samples are unreadable, too short, or of several lengths or sizes; names them.
        """
        folder = collection.path
        if collection.skipped:
            key, reason = next(iter(collection.skipped.items()))
            raise ValueError(
                f"{len(collection.skipped)} samples in {folder} are unreadable; {key}: {reason}. "
                "Generate them again, or remove them from the folder"
            )
        videos = collection.videos[:most]
        short = [video for video in videos if video.frames < self.span]
        if short:
            raise ValueError(
                f"{len(short)} of {len(videos)} samples in {folder} are shorter than the "
                f"{self.span} frames that are measured; {short[0].key} has {short[0].frames}. "
                "Generate longer ones, or choose a protocol of fewer frames"
            )
        _check_equal(videos, "frames", lambda video: video.frames, folder)
        _check_equal(videos, "pixels", lambda video: f"{video.height} x {video.width}", folder)
        return GeneratedClips(self, collection, tuple(videos))


@dataclass(frozen=True, eq=False)
class GeneratedClips:
    """The measured clips of samples in files."""

    rules: Generated
    collection: Collection
    videos: tuple[VideoFile, ...]

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> data.Element:
        """A clip with its prompt as the caption, if its file has one.

        Raises:
          ValueError: the file cannot be decoded; names it.
        """
        video = self.videos[index]
        try:
            frames = video.read(self.rules.stride * np.arange(self.rules.frames))
        except UnreadableVideo as error:
            raise ValueError(
                f"{self.collection.path}: {video.key} cannot be decoded, {error}: generate it again"
            ) from error
        element: data.Element = {"video": apply_steps(frames, self.rules.pixels), "key": video.key}
        if video.captions:
            element["caption"] = video.captions[0]
        return element

    @property
    def captions(self) -> list[str]:
        """The prompt of each sample.

        Raises:
          ValueError: a sample has no caption; names it, and where to put the caption.
        """
        missing = [video.key for video in self.videos if not video.captions]
        if missing:
            raise ValueError(
                f"{len(missing)} of {len(self)} samples in {self.collection.path} have no caption, "
                f"the first is {missing[0]}: put its prompt into a .txt of the same name next to "
                "it, or give a table with the columns file,caption with --captions"
            )
        return [video.captions[0] for video in self.videos]

    def warnings(self, wanted: int | None) -> list[str]:
        """Deviations of the samples from the protocol, which needs `wanted` samples (None: any)."""
        warnings, first = [], self.videos[0]
        available = len(self.collection.videos)
        if wanted is not None and available < wanted:
            warnings.append(f"the protocol needs {wanted} samples and the folder has {available}")
        if available > len(self):
            warnings.append(
                f"only the first {len(self)} of {available} samples in the folder are measured"
            )
        if first.frames > self.rules.span:
            warnings.append(
                f"only {self.rules.frames} of {first.frames} frames per sample are measured, from "
                f"the first on, {self.rules.stride} apart"
            )
        size = None if self.rules.size is None else data.sides(self.rules.size)
        if size is not None and (first.height, first.width) != size:
            warnings.append(
                f"samples are {first.height} x {first.width} and the protocol's are "
                f"{size[0]} x {size[1]}"
            )
        if len(self.collection.rates) > 1:
            rates = " and ".join(f"{rate:g} ({n})" for rate, n in self.collection.rates.items())
            warnings.append(
                f"samples differ in frames per second, {rates}; their frame rates are ignored"
            )
        return warnings


def _check_equal(videos: Sequence[VideoFile], quantity: str, value, folder) -> None:
    counts = Counter(value(video) for video in videos)
    if len(counts) > 1:
        usual = counts.most_common(1)[0][0]
        odd = next(video for video in videos if value(video) != usual)
        raise ValueError(
            f"samples in {folder} differ in {quantity}: {counts[usual]} of {len(videos)} have "
            f"{usual}, and {odd.key} has {value(odd)}. Measure samples of each length and size "
            "separately"
        )
