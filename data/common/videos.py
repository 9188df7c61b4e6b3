"""Encoded videos: their metadata, verified by decoding every frame."""

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from data.common.truncation import truncation

# Some files have tags in a wrong encoding, which PyAV before 19 rejects by default.
TOLERANT: dict[str, Any] = (
    {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
)


class UnusableVideo(Exception):
    """A file that cannot be built; the message says why."""


@dataclass(frozen=True)
class VideoMetadata:
    """The metadata that locate every frame of a video for decoding, without a search.

    frames: number of frames.
    seconds: duration; the last frame counts with the median frame duration.
    fps: mean frame rate.
    height, width: size of the upright frames in pixels.
    time_base: unit of `stamps` in seconds, as (numerator, denominator).
    stamps: timestamps of the frames; empty if the container's are invalid, and then decoding starts
      at the first frame.
    keyframes: frames from which decoding is verified to give the same pixels as decoding from the
      first frame.
    codec: FFmpeg's name of the codec.
    """

    frames: int
    seconds: float
    fps: float
    height: int
    width: int
    time_base: tuple[int, int]
    stamps: tuple[int, ...]
    keyframes: tuple[int, ...]
    codec: str

    def to_fields(self) -> dict[str, Any]:
        """The fields of a record."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    def trim(self, start: float, end: float) -> "VideoMetadata":
        """The metadata of the frames shown from `start` to `end` seconds."""
        times = np.array(self.stamps, np.int64) * (self.time_base[0] / self.time_base[1])
        first, last = np.searchsorted(times, [start - 1e-3, end - 1e-3])
        if first == last:
            raise UnusableVideo(f"it has no frames between {start:g} and {end:g} s")
        typical = float(np.median(np.diff(times))) if len(times) > 1 else self.seconds
        seconds = float(times[last - 1] - times[first]) + typical
        return replace(
            self,
            frames=int(last - first),
            seconds=seconds,
            fps=float(last - first) / seconds,
            stamps=self.stamps[first:last],
            keyframes=(0, *(int(k - first) for k in self.keyframes if first < k < last)),
        )


@contextmanager
def open_container(data: bytes) -> Iterator[tuple[Any, Any]]:
    """The container and its first video stream; FFmpeg's errors become `UnusableVideo`."""
    try:
        with av.open(io.BytesIO(data), **TOLERANT) as container:
            if not container.streams.video:
                kinds = sorted({stream.type for stream in container.streams})
                raise UnusableVideo(
                    f"it holds no video stream, only {', '.join(kinds) or 'nothing'}"
                )
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1  # other processes use the other cores
            yield container, stream
    except (FFmpegError, EOFError) as error:
        raise UnusableVideo(f"it cannot be decoded: {error.strerror or error}") from error


def probe(data: bytes) -> VideoMetadata:
    """The metadata of a video, from decoding it once, and once more from its keyframes.

    Raises:
      UnusableVideo: no video, a truncated file, or damaged or missing frames.
    """
    if not data:
        raise UnusableVideo("the file is empty")
    if not any(data[:4096]) and not any(data):
        raise UnusableVideo("it holds only zero bytes")
    if reason := truncation(data):
        raise UnusableVideo(reason)
    stamps, keys, sums, shapes = [], [], [], set()
    with open_container(data) as (container, stream):
        for frame in container.decode(stream):
            if frame.is_corrupt:
                raise UnusableVideo(f"frame {len(stamps)} is damaged")
            if frame.key_frame:
                keys.append(len(stamps))
            stamps.append(frame.pts)
            sums.append(_checksum(frame))
            rotated = round(frame.rotation / 90) % 2
            shapes.add((frame.width, frame.height) if rotated else (frame.height, frame.width))
        unit = stream.time_base or Fraction(1, 25)
        rate = float(stream.average_rate or 25)
        codec, stated = stream.codec_context.name, stream.frames
    if not stamps:
        raise UnusableVideo("it holds no frames")
    if stated - len(stamps) > 1 + stated // 100:  # an AVI with packed B-frames states one too many
        raise UnusableVideo(f"it holds {len(stamps)} of the {stated} frames that its header states")
    if len(shapes) > 1:
        raise UnusableVideo(f"its frames differ in size: {sorted(shapes)}")
    trusted = None not in stamps and all(a < b for a, b in pairwise(stamps))
    if trusted:
        later = [key for key in keys if key]
        keys = [0, *(_verified_keyframes(data, stamps, later, sums) if later else ())]
        times = (np.array(stamps, np.int64) - stamps[0]) * float(unit)
    else:
        stamps, keys, times = [], [0], np.arange(len(stamps)) / rate
    typical = float(np.median(np.diff(times))) if len(times) > 1 else 1 / rate
    seconds = float(times[-1]) + typical
    (shape,) = shapes
    return VideoMetadata(
        frames=len(times),
        seconds=seconds,
        fps=len(times) / seconds,
        height=shape[0],
        width=shape[1],
        time_base=(unit.numerator, unit.denominator),
        stamps=tuple(stamps),
        keyframes=tuple(keys),
        codec=codec,
    )


def _checksum(frame: av.VideoFrame) -> int:
    """The CRC-32 of the pixels."""
    total = 0
    for plane in frame.planes:
        total = zlib.crc32(memoryview(plane), total)
    return total


def _verified_keyframes(
    data: bytes, stamps: list[int], keys: list[int], sums: list[int]
) -> list[int]:
    """The `keys` from which decoding up to the next key gives the checksums `sums`.

    Other keys are misleading: frames after an open group's keyframe refer to frames before it, and
    some containers seek to a different frame.
    """
    good, ends = [], [*keys[1:], len(stamps)]
    places = {stamp: place for place, stamp in enumerate(stamps)}
    with open_container(data) as (container, stream):
        for key, end in zip(keys, ends, strict=True):
            container.seek(stamps[key], stream=stream)
            decoded = {}
            for frame in container.decode(stream):
                place = places.get(frame.pts, -1)
                if place >= key:
                    decoded[place] = _checksum(frame)
                if place >= end - 1:
                    break
            if [decoded.get(place) for place in range(key, end)] == sums[key:end]:
                good.append(key)
    return good
