"""Transcoding: video streams copied, re-encoded smaller, or encoded losslessly."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import Interpolation

from data.common.videos import UnusableVideo, VideoMetadata, open_container, probe


class Transcoder(Protocol):
    """Makes the video that is stored in place of another."""

    @property
    def name(self) -> str:
        """The name of this variant of a data set."""
        ...

    def __call__(self, data: bytes, metadata: VideoMetadata) -> tuple[bytes, VideoMetadata]:
        """The new video and its metadata."""
        ...


@dataclass(frozen=True)
class Remux:
    """Copies the video stream, without sound, into Matroska; no frame is re-encoded.

    A video is stored unchanged if its container has no valid timestamps, or if Matroska rejects its
    stream or returns different frames.
    """

    name: str = "remuxed"

    def __call__(self, data: bytes, metadata: VideoMetadata) -> tuple[bytes, VideoMetadata]:
        try:
            copy = remux(data)
            copied = probe(copy)
        except UnusableVideo:
            return data, metadata
        same = (copied.frames, copied.height, copied.width, copied.codec) == (
            metadata.frames, metadata.height, metadata.width, metadata.codec
        )  # fmt: skip
        return (copy, copied) if same and metadata.stamps else (data, metadata)


def remux(data: bytes, start: float = 0.0, end: float = float("inf")) -> bytes:
    """The video stream in Matroska, from the keyframe before `start` to `end`, in seconds.

    Timestamps are preserved to the millisecond, relative to the first frame of the original.

    Raises:
      UnusableVideo: packets without timestamps, or a stream that Matroska rejects.
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
                if not packet.size:  # the flush packet at the end
                    continue
                if packet.dts is None or packet.pts is None:
                    raise UnusableVideo("its container has frames without timestamps")
                packet.pts, packet.dts = packet.pts - origin, packet.dts - origin
                if packet.dts * unit >= end:
                    break
                packet.stream = copy
                target.mux(packet)
    except (FFmpegError, ValueError) as error:
        raise UnusableVideo(f"Matroska rejects its stream: {error}") from error
    return out.getvalue()


def duration(data: bytes) -> float:
    """The duration in seconds that the container states."""
    with open_container(data) as (container, stream):
        if stream.duration:
            return float(stream.duration * stream.time_base)
        return (container.duration or 0) / av.time_base


def select_frames(frames: Iterator[Any], metadata: VideoMetadata) -> Iterator[Any]:
    """The decoded frames that `metadata` lists."""
    stamps = set(metadata.stamps)
    return (frame for frame in frames if not stamps or frame.pts in stamps)


@dataclass(frozen=True)
class Recode:
    """Re-encodes a video as H.264.

    size: short side in pixels; None leaves it.
    fps: frame rate; None leaves it.
    crf: quality; 18 is visually lossless.
    """

    size: int | None = None
    fps: float | None = None
    crf: int = 18

    @property
    def name(self) -> str:
        """The name of this variant of a data set: `64px_8fps_crf18`."""
        size = f"{self.size}px_" if self.size else ""
        return f"{size}{f'{self.fps:g}fps_' if self.fps else ''}crf{self.crf}".replace(".", "p")

    def __call__(self, data: bytes, metadata: VideoMetadata) -> tuple[bytes, VideoMetadata]:
        """An MP4 with a keyframe every 12 frames, as in UCF-101, and its metadata."""
        height, width = metadata.height, metadata.width
        if self.size:
            short = min(height, width)
            height, width = (side * self.size / short for side in (height, width))
        height, width = (max(2, 2 * round(side / 2)) for side in (height, width))  # 4:2:0 is even
        rate = Fraction(self.fps or metadata.fps).limit_denominator(1001)
        out = io.BytesIO()
        with open_container(data) as (source, stream), av.open(out, "w", format="mp4") as target:
            options = {"crf": str(self.crf), "g": "12", "sc_threshold": "0", "bf": "2"}
            copy = target.add_stream("libx264", rate=rate, options=options)
            copy.width, copy.height, copy.pix_fmt = width, height, "yuv420p"
            copy.codec_context.thread_count = 1
            frames = self._resample(select_frames(source.decode(stream), metadata), metadata)
            for count, frame in enumerate(frames):
                turns = round(frame.rotation / 90) % 4  # counter-clockwise
                across, down = (height, width) if turns % 2 else (width, height)
                small = frame.reformat(
                    across, down, "rgb24", interpolation=int(Interpolation.LANCZOS)
                )
                upright = np.ascontiguousarray(np.rot90(small.to_ndarray(), turns))
                encoded = av.VideoFrame.from_ndarray(upright, "rgb24")
                encoded.pts, encoded.time_base = count, 1 / rate
                target.mux(copy.encode(encoded))
            target.mux(copy.encode())
        return out.getvalue(), probe(out.getvalue())

    def _resample(self, frames: Iterator[Any], metadata: VideoMetadata) -> Iterator[Any]:
        """All frames, or with `fps` the nearest frame to each time."""
        if not self.fps:
            yield from frames
            return
        times = np.arange(metadata.frames) / metadata.fps
        if metadata.stamps:
            times = np.array(metadata.stamps) * metadata.time_base[0] / metadata.time_base[1]
            times = times - times[0]
        count = max(1, int(metadata.seconds * self.fps + 0.5))
        wanted = np.searchsorted((times[1:] + times[:-1]) / 2, np.arange(count) / self.fps)
        for place, frame in enumerate(frames):
            for _ in range(int((wanted == place).sum())):
                yield frame


def encode_lossless(video: np.ndarray) -> bytes:
    """Frames uint8 [f h w] or [f h w 3] as FFV1 in Matroska, which is lossless."""
    form, stored = ("gray", "gray") if video.ndim == 3 else ("rgb24", "bgr0")
    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = video.shape[1], video.shape[2], stored
        for place, image in enumerate(video):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), form)
            frame.pts, frame.time_base = place, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()
