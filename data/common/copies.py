"""Copies of videos: streams taken over as they are, encoded smaller, or without loss."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import Interpolation

from data.common.videos import Facts, Unusable, open_container, probe


class Copy(Protocol):
    """What is stored in place of a video; `name` is that of the variant of the data set."""

    @property
    def name(self) -> str: ...

    def __call__(self, data: bytes, facts: Facts) -> tuple[bytes, Facts]: ...


@dataclass(frozen=True)
class Remux:
    """The pictures as they are, without sound, in Matroska: no frame is encoded anew.

    A video stays as it is where its container does not tell the times of its frames, or Matroska
    does not take its stream or gives other frames back.
    """

    name: str = "remuxed"

    def __call__(self, data: bytes, facts: Facts) -> tuple[bytes, Facts]:
        try:
            copy = remux(data)
            found = probe(copy)
        except Unusable:
            return data, facts
        same = (found.frames, found.height, found.width, found.codec) == (
            facts.frames, facts.height, facts.width, facts.codec
        )  # fmt: skip
        return (copy, found) if same and facts.stamps else (data, facts)


def remux(data: bytes, start: float = 0.0, end: float = float("inf")) -> bytes:
    """The video stream in Matroska, from the keyframe before `start` to `end`, in seconds.

    Times stay as they are, to the millisecond; those of the original begin at its first frame.
    """
    out = io.BytesIO()
    try:
        with (
            open_container(data) as (source, stream),
            av.open(out, "w", format="matroska") as target,
        ):
            copy = target.add_stream_from_template(stream)
            unit = float(stream.time_base)
            origin = stream.start_time or 0
            if start > 0:
                source.seek(origin + int(start / unit), stream=stream)
            for packet in source.demux(stream):
                if not packet.size:  # it says that there are no more
                    continue
                if packet.dts is None or packet.pts is None:
                    raise Unusable("its container does not tell the times of its frames")
                packet.pts, packet.dts = packet.pts - origin, packet.dts - origin
                if packet.dts * unit >= end:
                    break
                packet.stream = copy
                target.mux(packet)
    except (FFmpegError, ValueError) as error:
        raise Unusable(f"its stream does not go into Matroska: {error}") from error
    return out.getvalue()


def length(data: bytes) -> float:
    """Seconds from the first frame to the end, as the container says."""
    with open_container(data) as (container, stream):
        if stream.duration:
            return float(stream.duration * stream.time_base)
        return (container.duration or 0) / av.time_base


def clip(frames: Iterator[Any], facts: Facts) -> Iterator[Any]:
    """The frames that `facts` tell of, out of all that are decoded."""
    told = set(facts.stamps)
    return (frame for frame in frames if not told or frame.pts in told)


@dataclass(frozen=True)
class Recode:
    """A smaller copy: H.264 with short side `size`, at `fps`, of quality `crf` (18 looks equal)."""

    size: int | None = None
    fps: float | None = None
    crf: int = 18

    @property
    def name(self) -> str:
        """As the name of a variant of a data set."""
        size = f"{self.size}px_" if self.size else ""
        return f"{size}{f'{self.fps:g}fps_' if self.fps else ''}crf{self.crf}".replace(".", "p")

    def __call__(self, data: bytes, facts: Facts) -> tuple[bytes, Facts]:
        """The copy, as an MP4 with a keyframe every 12 frames, like those of UCF-101."""
        height, width = facts.height, facts.width
        if self.size:
            short = min(height, width)
            height, width = (side * self.size / short for side in (height, width))
        height, width = (max(2, 2 * round(side / 2)) for side in (height, width))  # 4:2:0 is even
        rate = Fraction(self.fps or facts.fps).limit_denominator(1001)
        out = io.BytesIO()
        with open_container(data) as (source, stream), av.open(out, "w", format="mp4") as target:
            options = {"crf": str(self.crf), "g": "12", "sc_threshold": "0", "bf": "2"}
            copy = target.add_stream("libx264", rate=rate, options=options)
            copy.width, copy.height, copy.pix_fmt = width, height, "yuv420p"
            copy.codec_context.thread_count = 1
            for count, frame in enumerate(
                self._resampled(clip(source.decode(stream), facts), facts)
            ):
                turns = round(frame.rotation / 90) % 4  # counter-clockwise
                across, down = (height, width) if turns % 2 else (width, height)
                small = frame.reformat(
                    across, down, "rgb24", interpolation=int(Interpolation.LANCZOS)
                )
                upright = np.ascontiguousarray(np.rot90(small.to_ndarray(), turns))
                picture = av.VideoFrame.from_ndarray(upright, "rgb24")
                picture.pts, picture.time_base = count, 1 / rate
                target.mux(copy.encode(picture))
            target.mux(copy.encode())
        return out.getvalue(), probe(out.getvalue())

    def _resampled(self, frames: Iterator[Any], facts: Facts) -> Iterator[Any]:
        """Every frame, or at `fps` the one nearest to each time."""
        if not self.fps:
            yield from frames
            return
        times = np.arange(facts.frames) / facts.fps
        if facts.stamps:
            times = np.array(facts.stamps) * facts.time_base[0] / facts.time_base[1]
            times = times - times[0]
        count = max(1, int(facts.seconds * self.fps + 0.5))
        wanted = np.searchsorted((times[1:] + times[:-1]) / 2, np.arange(count) / self.fps)
        for place, frame in enumerate(frames):
            for _ in range(int((wanted == place).sum())):
                yield frame


def lossless(video: np.ndarray) -> bytes:
    """Frames uint8 [f h w] or [f h w 3] as FFV1 in Matroska, from which they come back exactly."""
    form, stored = ("gray", "gray") if video.ndim == 3 else ("rgb24", "bgr0")
    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = video.shape[1], video.shape[2], stored
        for place, picture in enumerate(video):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), form)
            frame.pts, frame.time_base = place, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()
