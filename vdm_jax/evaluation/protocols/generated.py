"""What is generated for a protocol: how many samples, asked to be what, and which frames count."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vdm_jax import data
from vdm_jax.data.videos import Unreadable
from vdm_jax.evaluation.protocols.frames import through
from vdm_jax.evaluation.protocols.prompts import Prompt, PromptSource, Unconditional, VideoInfo
from vdm_jax.evaluation.protocols.real import Real
from vdm_jax.evaluation.protocols.video_files import Collection, VideoFile
from vdm_jax.evaluation.resizing import Step


@dataclass(frozen=True)
class Generated:
    """`count` samples of what is `asked`, of which `frames` frames from the first on are measured.

    count: None is as many as `asked` makes. each: samples of each, beside one another. stride:
      between the frames that are measured.
    source: the real clips that samples are made of, in their order, where they are: the first
      `given` frames are known to the model, which makes the rest (all: it makes them again).
    size: of the samples, where the protocol says; other sizes are told beside the result.
    pixels: the steps from a frame of a sample to the measured one, 8 bits at the end.
    """

    count: int | None = 2048
    asked: PromptSource = Unconditional()
    each: int = 1
    frames: int = 16
    stride: int = 1
    source: Real | None = None
    given: int = 0
    size: data.Size | None = None
    pixels: tuple[Step, ...] = ()

    @property
    def span(self) -> int:
        """From the first measured frame to the last, both counted."""
        return (self.frames - 1) * self.stride + 1

    def asks(self, real: Sequence[VideoInfo], repeats: int = 1) -> list[Prompt]:
        """What each sample is asked to be, in order, of all repeats one after the other.

        What real videos tell goes on from one repeat to the next; classes are the same in each.

        Raises:
          ValueError: videos without captions where captions are asked for.
        """
        if self.count is None or not self.asked.of_real:
            return self._some(self.count, real) * repeats
        return self._some(self.count * repeats, real)

    def _some(self, count: int | None, real: Sequence[VideoInfo]) -> list[Prompt]:
        different = None if count is None else -(-count // self.each)
        asks = [ask for ask in self.asked.asks(different, real) for _ in range(self.each)]
        return asks[:count]

    def clips(self, collection: Collection, most: int | None = None) -> "GeneratedClips":
        """The clips of samples in files, at `most` so many, in the order of their names.

        Raises:
          ValueError: unreadable, too short or of several lengths or sizes; says which.
        """
        where = collection.path
        if collection.skipped:
            key, why = next(iter(collection.skipped.items()))
            raise ValueError(
                f"{len(collection.skipped)} samples in {where} are unreadable; {key}: {why}. "
                "Make them again, or take them out of the folder"
            )
        videos = collection.videos[:most]
        short = [video for video in videos if video.frames < self.span]
        if short:
            raise ValueError(
                f"{len(short)} of {len(videos)} samples in {where} are shorter than the "
                f"{self.span} frames that are measured; {short[0].key} has {short[0].frames}. "
                "Generate longer ones, or choose a protocol of fewer frames"
            )
        _alike(videos, "frames", lambda video: video.frames, where)
        _alike(videos, "pixels", lambda video: f"{video.height} x {video.width}", where)
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
        """A clip, with the caption that its file says it was asked to be.

        Raises:
          ValueError: it cannot be decoded; says which.
        """
        video = self.videos[index]
        try:
            frames = video.read(self.rules.stride * np.arange(self.rules.frames))
        except Unreadable as error:
            raise ValueError(
                f"{self.collection.path}: {video.key} cannot be decoded, {error}: make it again"
            ) from error
        element: data.Element = {"video": through(frames, self.rules.pixels), "key": video.key}
        if video.captions:
            element["caption"] = video.captions[0]
        return element

    @property
    def captions(self) -> list[str]:
        """What each was asked to be.

        Raises:
          ValueError: a sample has no caption; says which, and where it goes.
        """
        silent = [video.key for video in self.videos if not video.captions]
        if silent:
            raise ValueError(
                f"{len(silent)} of {len(self)} samples in {self.collection.path} have no caption, "
                f"the first is {silent[0]}: put its prompt into a .txt of the same name beside it, "
                "or give a table with the columns file,caption by --captions"
            )
        return [video.captions[0] for video in self.videos]

    def warnings(self, wanted: int | None) -> list[str]:
        """What is not as the protocol wants it: to be said beside the numbers."""
        said, first = [], self.videos[0]
        there = len(self.collection.videos)
        if wanted is not None and there < wanted:
            said.append(f"the protocol wants {wanted} samples, and {there} are here")
        if there > len(self):
            said.append(f"{there} samples are here, of which the first {len(self)} are measured")
        if first.frames > self.rules.span:
            said.append(
                f"samples have {first.frames} frames, of which {self.rules.frames} from the first "
                f"on are measured, {self.rules.stride} apart"
            )
        size = None if self.rules.size is None else data.sides(self.rules.size)
        if size is not None and (first.height, first.width) != size:
            said.append(
                f"samples are {first.height} x {first.width}, and those of the protocol "
                f"{size[0]} x {size[1]}"
            )
        if len(self.collection.rates) > 1:
            rates = " and ".join(f"{rate:g} ({n})" for rate, n in self.collection.rates.items())
            said.append(f"samples differ in frames a second, {rates}: they are measured by frame")
        return said


def _alike(videos: Sequence[VideoFile], what: str, value, where) -> None:
    counts = Counter(value(video) for video in videos)
    if len(counts) > 1:
        usual = counts.most_common(1)[0][0]
        odd = next(video for video in videos if value(video) != usual)
        raise ValueError(
            f"samples in {where} differ in {what}: {counts[usual]} of {len(videos)} have {usual}, "
            f"and {odd.key} has {value(odd)}. Lengths and sizes never mix in one number: measure "
            "them apart"
        )
