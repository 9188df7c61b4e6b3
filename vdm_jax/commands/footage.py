"""Videos and pictures that a user hands to a model, at the size and pace that it knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from vdm_jax import config
from vdm_jax.data import CenterCrop, Size, sides
from vdm_jax.data.videos import Unreadable, at_rate, probe, read


@dataclass(frozen=True, eq=False)
class Footage:
    """Frames of a file, and how many of them a second are shown."""

    frames: UInt8[np.ndarray, "f h w c"]
    fps: float


def clip(path: str, source: Any, size: Size, *, crop: bool) -> Footage:
    """A video as a model of `source` sees videos, of `size` pixels.

    Where the source takes every `stride`-th frame, or resamples to `fps`, so does this; the rate of
    the result makes motion as fast as in the file.

    Raises:
      ConfigError: no such file, no video, or other proportions (unless it is cropped).
    """
    video = opened(path)
    if len(video) < 2:
        raise config.ConfigError(f"{path} is a picture, not a video; for pictures use --between")
    wanted = getattr(source, "fps", None)
    native = 1 / max(float(np.median(np.diff(video.times))), 1e-3)
    places = np.arange(len(video)) if wanted is None else at_rate(video.times, wanted)
    stride = getattr(source, "stride", 1)
    frames = _pictures(path, video, places[::stride], size, crop)
    return Footage(frames, (wanted or native) / stride)


def pictures(paths: Sequence[str], size: Size, *, crop: bool) -> UInt8[np.ndarray, "f h w c"]:
    """The first frame of each file."""
    return np.concatenate([_pictures(path, opened(path), [0], size, crop) for path in paths])


def opened(path: str):
    """What a file holds; ConfigError where that is nothing to look at."""
    if not Path(path).is_file():
        raise config.ConfigError(f"no file {path}")
    try:
        return probe(Path(path))
    except Unreadable as error:
        raise config.ConfigError(f"{path} is not a video: {error}") from None


def _pictures(path, video, places, size, crop) -> UInt8[np.ndarray, "f h w c"]:
    tall, wide = sides(size)
    # A few rows more or less are what encoders add, for they like even sides.
    if not crop and abs(video.height * wide / (video.width * tall) - 1) > 0.02:
        raise config.ConfigError(
            f"{path} is {video.width}x{video.height}, and the model takes frames of "
            f"{wide}x{tall}: with --crop the middle of it is taken"
        )

    def resized(height: int, width: int) -> tuple[int, int]:
        return CenterCrop().resized(height, width, size) if crop else (tall, wide)

    try:
        frames = read(video, places, resized)
    except Unreadable as error:
        raise config.ConfigError(f"{path} cannot be decoded: {error}") from None
    room = frames.shape[1] - tall, frames.shape[2] - wide
    top, left = CenterCrop().corner(room, (0.5, 0.5))
    return np.ascontiguousarray(frames[:, top : top + tall, left : left + wide])
