"""Encoded videos: what they hold, proven by decoding them once, and smaller copies of them."""

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import Interpolation

from data.common.containers import ends_early


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


@contextmanager
def _opened(data: bytes) -> Iterator[tuple[Any, Any]]:
    try:
        # Real collections hold tags in broken encodings.
        with av.open(io.BytesIO(data), metadata_errors="replace") as container:
            if not container.streams.video:
                kinds = sorted({stream.type for stream in container.streams})
                raise Unusable(f"it holds no video stream, only {', '.join(kinds) or 'nothing'}")
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1  # the cores are busy with other files
            yield container, stream
    except (FFmpegError, EOFError) as error:
        raise Unusable(f"it cannot be decoded: {error.strerror or error}") from error


def look(data: bytes) -> Facts:
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
    with _opened(data) as (container, stream):
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
    with _opened(data) as (container, stream):
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

    def __call__(self, data: bytes, facts: Facts) -> bytes:
        """The copy, as an MP4 with a keyframe every 12 frames, like those of UCF-101."""
        height, width = facts.height, facts.width
        if self.size:
            short = min(height, width)
            height, width = (side * self.size / short for side in (height, width))
        height, width = (max(2, 2 * round(side / 2)) for side in (height, width))  # 4:2:0 is even
        rate = Fraction(self.fps or facts.fps).limit_denominator(1001)
        out = io.BytesIO()
        with _opened(data) as (source, stream), av.open(out, "w", format="mp4") as target:
            options = {"crf": str(self.crf), "g": "12", "sc_threshold": "0", "bf": "2"}
            copy = target.add_stream("libx264", rate=rate, options=options)
            copy.width, copy.height, copy.pix_fmt = width, height, "yuv420p"
            copy.codec_context.thread_count = 1
            for count, frame in enumerate(self._resampled(source.decode(stream), facts)):
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
        return out.getvalue()

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
