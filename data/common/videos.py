"""Encoded videos: what they hold, proven by decoding them once."""

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

from data.common.containers import ends_early

# Real collections hold tags in broken encodings, which PyAV before 19 minds unless it is told.
TOLERANT: dict[str, Any] = (
    {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
)


class Unusable(Exception):
    """A file that cannot be used; the message says why."""


@dataclass(frozen=True)
class Facts:
    """What a reader needs to know of a video to decode any frame of it without a search.

    `stamps` are the times of the frames in units of `time_base` seconds, none where the container
    tells them wrongly; then reading begins at the first frame. Decoding from each of the frames
    `keyframes` was tried, and gives the same pixels as decoding from the first. `seconds` counts
    the last frame for as long as frames usually are. `height` and `width` are of upright frames.
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

    def record(self) -> dict[str, Any]:
        """As fields of a record."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    def within(self, start: float, end: float) -> "Facts":
        """The same of the frames shown from `start` to `end` seconds alone, by their stamps."""
        times = np.array(self.stamps, np.int64) * (self.time_base[0] / self.time_base[1])
        first, last = np.searchsorted(times, [start - 1e-3, end - 1e-3])
        if first == last:
            raise Unusable(f"it has no frames between {start:g} and {end:g} s")
        usual = float(np.median(np.diff(times))) if len(times) > 1 else self.seconds
        seconds = float(times[last - 1] - times[first]) + usual
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
    """The container and its first video stream; what FFmpeg refuses becomes `Unusable`."""
    try:
        with av.open(io.BytesIO(data), **TOLERANT) as container:
            if not container.streams.video:
                kinds = sorted({stream.type for stream in container.streams})
                raise Unusable(f"it holds no video stream, only {', '.join(kinds) or 'nothing'}")
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1  # the cores are busy with other files
            yield container, stream
    except (FFmpegError, EOFError) as error:
        raise Unusable(f"it cannot be decoded: {error.strerror or error}") from error


def probe(data: bytes) -> Facts:
    """Decodes every frame of a video once, and every one after a keyframe once more.

    Raises `Unusable` where a frame is missing or the file is no video.
    """
    if not data:
        raise Unusable("the file is empty")
    if not any(data[:4096]) and not any(data):
        raise Unusable("it is nothing but zero bytes")
    if reason := ends_early(data):
        raise Unusable(reason)
    stamps, keys, sums, shapes = [], [], [], set()
    with open_container(data) as (container, stream):
        for frame in container.decode(stream):
            if frame.is_corrupt:
                raise Unusable(f"frame {len(stamps)} is damaged")
            if frame.key_frame:
                keys.append(len(stamps))
            stamps.append(frame.pts)
            sums.append(_sum(frame))
            turned = round(frame.rotation / 90) % 2
            shapes.add((frame.width, frame.height) if turned else (frame.height, frame.width))
        unit = stream.time_base or Fraction(1, 25)
        rate = float(stream.average_rate or 25)
        codec, stated = stream.codec_context.name, stream.frames
    if not stamps:
        raise Unusable("it holds no frames")
    if stated - len(stamps) > 1 + stated // 100:  # with packed B-frames, an AVI states one too many
        raise Unusable(f"only {len(stamps)} of the {stated} frames that it says it has are there")
    if len(shapes) > 1:
        raise Unusable(f"its frames change their size on the way: {sorted(shapes)}")
    trusted = None not in stamps and all(a < b for a, b in pairwise(stamps))
    if trusted:
        later = [key for key in keys if key]
        keys = [0, *(_proven(data, stamps, later, sums) if later else ())]
        times = (np.array(stamps, np.int64) - stamps[0]) * float(unit)
    else:
        stamps, keys, times = [], [0], np.arange(len(stamps)) / rate
    usual = float(np.median(np.diff(times))) if len(times) > 1 else 1 / rate
    seconds = float(times[-1]) + usual
    (shape,) = shapes
    return Facts(
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


def _sum(frame: av.VideoFrame) -> int:
    """A checksum of the pixels."""
    total = 0
    for plane in frame.planes:
        total = zlib.crc32(memoryview(plane), total)
    return total


def _proven(data: bytes, stamps: list[int], keys: list[int], sums: list[int]) -> list[int]:
    """Those of `keys` from which decoding up to the next gives what decoding all of it gave.

    Frames after a keyframe may still refer to those before it, and containers may seek elsewhere.
    """
    good, ends = [], [*keys[1:], len(stamps)]
    places = {stamp: place for place, stamp in enumerate(stamps)}
    with open_container(data) as (container, stream):
        for key, end in zip(keys, ends, strict=True):
            container.seek(stamps[key], stream=stream)
            found = {}
            for frame in container.decode(stream):
                place = places.get(frame.pts, -1)
                if place >= key:
                    found[place] = _sum(frame)
                if place >= end - 1:
                    break
            if [found.get(place) for place in range(key, end)] == sums[key:end]:
                good.append(key)
    return good
