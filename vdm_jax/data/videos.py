"""Video files: what they hold, found without decoding, and the frames asked for, decoded."""

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
"""How pixels are weighed where a frame is resized; all are anti-aliased (widened to shrink)."""

_FILTERS: Mapping[Filter, Interpolation] = MappingProxyType(
    {
        "lanczos": Interpolation.LANCZOS,
        "bicubic": Interpolation.BICUBIC,
        "bilinear": Interpolation.BILINEAR,
        "area": Interpolation.AREA,
    }
)
# Real collections hold tags in broken encodings, which PyAV before 19 minds unless it is told.
TOLERANT: dict[str, Any] = (
    {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
)
# Chroma is brought to full resolution before it becomes RGB.
_EXACT = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


class _Scaler(threading.local):
    """A scaler for each thread: from video to video it keeps its tables, which are dear to make."""

    def __init__(self):
        self.reformat = VideoReformatter().reformat


_scaler = _Scaler()


class Unreadable(Exception):
    """A file that cannot be used; the message says why."""


@dataclass(frozen=True, eq=False)
class Video:
    """A video of `n` frames in the order they are shown: a `file`, or the bytes of one.

    `times` are seconds, `stamps` the same in the container's own units (None where they tell
    nothing), and decoding can begin at any of the frames `keyframes`.
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
def _opened(file: Path | bytes) -> Iterator[tuple]:
    """The container and its first video stream; every failure inside becomes `Unreadable`."""
    try:
        with _named(file) as source, av.open(source, **TOLERANT) as container:
            if not container.streams.video:
                raise Unreadable("it holds no video stream")
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            yield container, stream
    except (FFmpegError, OSError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error


@contextmanager
def _named(file: Path | bytes) -> Iterator[str | IO[bytes]]:
    """What FFmpeg is to open: a name, or a file object where the name would mislead it."""
    if isinstance(file, bytes):
        yield BytesIO(file)
    elif file.stat().st_size == 0:
        raise Unreadable("the file is empty")
    elif file.suffix.lower() in IMAGES:  # "%d" in a name would be the pattern of a sequence
        with file.open("rb") as opened:
            yield opened
    else:
        yield str(file)


def probe(file: Path | bytes) -> Video:
    """What a file holds, from its packets alone wherever they can be trusted."""
    with _opened(file) as (container, stream):
        # A file cut short ends in a packet that is cut short.
        packets = [
            (packet.pts, packet.is_keyframe)
            for packet in container.demux(stream)
            if packet.size and not (packet.is_discard or packet.is_corrupt)
        ]
        stamps = [stamp for stamp, _ in packets]
        codec = stream.codec_context
        # An AVI knows no time of showing, so that packed B-frames come out misnumbered and fewer
        # than the packets; VP8 has packets that show nothing. There only decoding can tell.
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
        with _opened(file) as (container, stream):
            count = sum(1 for _ in container.decode(stream))
        times, stamps, keyframes = np.arange(count) / rate, None, np.array([0])
    if not (len(times) and height and width):
        raise Unreadable("it holds no frames")
    return Video(file, height, width, times, stamps, keyframes)


def read(
    video: Video,
    frames: Sequence[int] | Int[np.ndarray, " f"],
    resized: Callable[[int, int], tuple[int, int]],
    filter: Filter = "lanczos",
) -> UInt8[np.ndarray, "f h w 3"]:
    """The `frames` (rising, repeats allowed) of `video`, each resized once, straight to RGB.

    `resized` gives the height and width to resize to from those of an upright frame.
    """
    if filter not in _FILTERS:
        raise ValueError(f"unknown filter {filter!r}: it is one of {', '.join(_FILTERS)}")
    wanted = set(map(int, frames))
    last = max(wanted)
    begin = int(video.keyframes[video.keyframes <= min(wanted)].max())
    stamps = range(len(video)) if video.stamps is None else video.stamps.tolist()
    places = {stamp: place for place, stamp in enumerate(stamps)}
    found = {}
    with _opened(video.file) as (container, stream):
        if begin > 0:
            container.seek(stamps[begin], stream=stream)
        for count, frame in enumerate(container.decode(stream)):
            place = places.get(count if video.stamps is None else frame.pts, -1)
            if place in wanted and place not in found:
                found[place] = _picture(frame, resized, filter)
            if place >= last:
                break
    if missing := wanted - found.keys():
        raise Unreadable(f"frame {min(missing)} of {len(video)} cannot be decoded")
    if len({picture.shape for picture in found.values()}) > 1:
        raise Unreadable("its frames change their proportions on the way")
    return np.stack([found[int(frame)] for frame in frames])


def _picture(frame, resized, filter) -> UInt8[np.ndarray, "h w 3"]:
    """A decoded frame, upright and resized: telephones store a turn instead of turned pixels."""
    turns = round(frame.rotation / 90) % 4  # counter-clockwise
    if turns % 2:
        width, height = resized(frame.width, frame.height)
    else:
        height, width = resized(frame.height, frame.width)
    # Planes, for FFmpeg is three times slower where it scales and interleaves colours at once; and
    # one thread, for other clips keep the other cores busy.
    flags = int(_FILTERS[filter] | _EXACT)
    frame = _scaler.reformat(
        frame, width=width, height=height, format="gbrp", interpolation=flags, threads=1
    )
    picture = frame.to_ndarray()
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture


def at_rate(times: Float[np.ndarray, " n"], fps: float) -> Int[np.ndarray, " m"]:
    """The frame nearest to each of the times 0, 1/fps, 2/fps, ... after the first frame.

    The last frame is shown for as long as frames usually are, so a rate of its own leaves a video
    of constant rate as it is.
    """
    times = times - times[0]
    usual = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    count = max(1, int((times[-1] + usual) * fps + 0.5))
    return np.searchsorted((times[1:] + times[:-1]) / 2, np.arange(count) / fps)
