"""Video files: metadata from packets without decoding, and decoding of selected frames."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Literal

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import Interpolation, VideoReformatter
from jaxtyping import Float, Int, UInt8

VIDEOS = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".gif"})
IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})

Filter = Literal["lanczos", "bicubic", "bilinear", "area"]
"""The filter for resizing frames; all are anti-aliased (wider when downscaling)."""

_FILTERS: Mapping[Filter, Interpolation] = MappingProxyType(
    {
        "lanczos": Interpolation.LANCZOS,
        "bicubic": Interpolation.BICUBIC,
        "bilinear": Interpolation.BILINEAR,
        "area": Interpolation.AREA,
    }
)
# Some files have tags in a wrong encoding, which PyAV before 19 rejects by default.
TOLERANT: dict[str, Any] = (
    {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
)
# Chroma is upsampled to full resolution before the conversion to RGB.
_EXACT = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


class _Scaler(threading.local):
    """One scaler a thread: its tables, which are slow to compute, are reused between videos."""

    def __init__(self):
        self.reformat = VideoReformatter().reformat


_scaler = _Scaler()


class UnreadableVideo(Exception):
    """A file that cannot be decoded; the message says why."""


@dataclass(frozen=True, eq=False)
class Video:
    """A video of `n` frames in display order.

    file: path, or the bytes of a file.
    height, width: of a frame in pixels.
    times: timestamps in seconds.
    stamps: timestamps in the container's units; None if they are invalid.
    keyframes: frames at which decoding can start.
    """

    file: Path | bytes
    height: int
    width: int
    times: Float[np.ndarray, " n"]
    stamps: Int[np.ndarray, " n"] | None
    keyframes: Int[np.ndarray, " k"]

    def __len__(self) -> int:
        return len(self.times)


@contextmanager
def _open_container(file: Path | bytes) -> Iterator[tuple]:
    """The container and its first video stream; errors inside become `UnreadableVideo`."""
    try:
        with _ffmpeg_source(file) as source, av.open(source, **TOLERANT) as container:
            if not container.streams.video:
                raise UnreadableVideo("it holds no video stream")
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            yield container, stream
    except (FFmpegError, OSError) as error:
        raise UnreadableVideo(f"{type(error).__name__}: {error}") from error


@contextmanager
def _ffmpeg_source(file: Path | bytes) -> Iterator[str | IO[bytes]]:
    """The name of a file for FFmpeg, or a file object if FFmpeg would misread the name."""
    if isinstance(file, bytes):
        yield BytesIO(file)
    elif file.stat().st_size == 0:
        raise UnreadableVideo("the file is empty")
    elif file.suffix.lower() in IMAGES:  # FFmpeg reads "%d" in a name as an image sequence
        with file.open("rb") as handle:
            yield handle
    else:
        yield str(file)


def probe(file: Path | bytes) -> Video:
    """The metadata of a file, from its packets alone if they are reliable.

    Raises:
      UnreadableVideo: no video stream, no frames, or a damaged file.
    """
    with _open_container(file) as (container, stream):
        # A truncated file ends in a truncated packet.
        packets = [
            (packet.pts, packet.is_keyframe)
            for packet in container.demux(stream)
            if packet.size and not (packet.is_discard or packet.is_corrupt)
        ]
        stamps = [stamp for stamp, _ in packets]
        codec = stream.codec_context
        # AVI stores no presentation times, so packed B-frames are misnumbered and fewer than the
        # packets; VP8 has packets without a frame. These files are decoded.
        trusted = (
            None not in stamps
            and len(set(stamps)) == len(stamps)
            and not (container.format.name == "avi" and codec.has_b_frames)
            and codec.name != "vp8"
        )
        height, width, unit = codec.height, codec.width, float(stream.time_base or 0)
        rate = float(stream.average_rate or 25)
    if trusted:
        order = np.argsort(stamps)
        stamps = np.array(stamps, np.int64)[order]
        times = stamps * unit
        keyframes = np.union1d([0], np.flatnonzero([packets[place][1] for place in order]))
    else:
        with _open_container(file) as (container, stream):
            count = sum(1 for _ in container.decode(stream))
        times, stamps, keyframes = np.arange(count) / rate, None, np.array([0])
    if not (len(times) and height and width):
        raise UnreadableVideo("it holds no frames")
    return Video(file, height, width, times, stamps, keyframes)


def read(
    video: Video,
    frames: Sequence[int] | Int[np.ndarray, " f"],
    target_size: Callable[[int, int], tuple[int, int]],
    filter: Filter = "lanczos",
) -> UInt8[np.ndarray, "f h w 3"]:
    """The `frames` (increasing, repeats allowed) of `video`, resized straight to RGB.

    target_size: the height and width to resize to, from those of an upright frame.
    filter: the filter of the resize.

    Raises:
      UnreadableVideo: a frame cannot be decoded, or the frames differ in aspect ratio.
    """
    if filter not in _FILTERS:
        raise ValueError(f"unknown filter {filter!r}: it is one of {', '.join(_FILTERS)}")
    wanted = set(map(int, frames))
    last = max(wanted)
    begin = int(video.keyframes[video.keyframes <= min(wanted)].max())
    stamps = range(len(video)) if video.stamps is None else video.stamps.tolist()
    places = {stamp: place for place, stamp in enumerate(stamps)}
    decoded = {}
    with _open_container(video.file) as (container, stream):
        if begin > 0:
            container.seek(stamps[begin], stream=stream)
        for count, frame in enumerate(container.decode(stream)):
            place = places.get(count if video.stamps is None else frame.pts, -1)
            if place in wanted and place not in decoded:
                decoded[place] = _to_rgb(frame, target_size, filter)
            if place >= last:
                break
    if missing := wanted - decoded.keys():
        raise UnreadableVideo(f"frame {min(missing)} of {len(video)} cannot be decoded")
    if len({image.shape for image in decoded.values()}) > 1:
        raise UnreadableVideo("its frames differ in aspect ratio")
    return np.stack([decoded[int(frame)] for frame in frames])


def _to_rgb(frame, target_size, filter) -> UInt8[np.ndarray, "h w 3"]:
    """A decoded frame, resized and rotated upright: phones store a rotation, not rotated pixels."""
    turns = round(frame.rotation / 90) % 4  # counter-clockwise
    if turns % 2:
        width, height = target_size(frame.width, frame.height)
    else:
        height, width = target_size(frame.height, frame.width)
    # Planar, since FFmpeg is three times slower if it scales and interleaves colors at once; one
    # thread, since other clips use the other cores.
    flags = int(_FILTERS[filter] | _EXACT)
    frame = _scaler.reformat(
        frame, width=width, height=height, format="gbrp", interpolation=flags, threads=1
    )
    image = frame.to_ndarray()
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def at_rate(times: Float[np.ndarray, " n"], fps: float) -> Int[np.ndarray, " m"]:
    """The frame nearest to each of the times 0, 1/fps, 2/fps, ... after the first frame.

    The last frame counts with the median frame duration, so resampling a video of constant rate to
    its own rate changes nothing.
    """
    times = times - times[0]
    typical = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    count = max(1, int((times[-1] + typical) * fps + 0.5))
    return np.searchsorted((times[1:] + times[:-1]) / 2, np.arange(count) / fps)
