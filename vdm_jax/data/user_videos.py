"""Videos and images from a user's files, at the size and frame rate that a model was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from vdm_jax.config import ConfigError
from vdm_jax.data.crops import CenterCrop
from vdm_jax.data.sources import ResampledSource, Size, Source, StridedSource, sides
from vdm_jax.data.videos import UnreadableVideo, Video, at_rate, probe, read

Frames = UInt8[np.ndarray, "f h w c"]


@dataclass(frozen=True, eq=False)
class UserVideo:
    """The frames of a video file.

    frames: the frames at the model's size.
    fps: frames per second of `frames`.
    """

    frames: Frames
    fps: float


def read_video(path: str, size: Size, *, source: Source | None = None, crop: bool) -> UserVideo:
    """A video, resized to `size` pixels and sampled in time as `source` samples its videos.

    A source with `stride` takes every `stride`-th frame, one with `fps` resamples to that rate;
    `source=None` takes every frame.

    Raises:
      ConfigError: no such file, no video, or another aspect ratio with `crop=False`.
    """
    video = open_video(path)
    if len(video) < 2:
        raise ConfigError(f"{path} is an image, not a video; for images use --between")
    source_fps = source.fps if isinstance(source, ResampledSource) else None
    native_fps = 1 / max(float(np.median(np.diff(video.times))), 1e-3)
    indices = np.arange(len(video)) if source_fps is None else at_rate(video.times, source_fps)
    stride = source.stride if isinstance(source, StridedSource) else 1
    frames = _read_frames(path, video, indices[::stride], size, crop)
    return UserVideo(frames, (source_fps or native_fps) / stride)


def read_images(paths: Sequence[str], size: Size, *, crop: bool) -> Frames:
    """The first frame of each file, resized to `size` pixels."""
    return np.concatenate([_read_frames(p, open_video(p), [0], size, crop) for p in paths])


def open_video(path: str) -> Video:
    """The size and frame times of a video or image file.

    Raises:
      ConfigError: no such file, or no video.
    """
    if not Path(path).is_file():
        raise ConfigError(f"no file {path}")
    try:
        return probe(Path(path))
    except UnreadableVideo as error:
        raise ConfigError(f"{path} is not a video: {error}") from None


def _read_frames(
    path: str, video: Video, indices: Sequence[int] | np.ndarray, size: Size, crop: bool
) -> Frames:
    tall, wide = sides(size)
    # Encoders pad odd sides by a row or a column: tolerate 2 % in the aspect ratio.
    if not crop and abs(video.height * wide / (video.width * tall) - 1) > 0.02:
        raise ConfigError(
            f"{path} is {video.width}x{video.height}, and the model takes frames of "
            f"{wide}x{tall}: add --crop to take its center"
        )

    def target_size(height: int, width: int) -> tuple[int, int]:
        return CenterCrop().target_size(height, width, size) if crop else (tall, wide)

    try:
        frames = read(video, indices, target_size)
    except UnreadableVideo as error:
        raise ConfigError(f"{path} cannot be decoded: {error}") from None
    margins = frames.shape[1] - tall, frames.shape[2] - wide
    top, left = CenterCrop().corner(margins, (0.5, 0.5))
    return np.ascontiguousarray(frames[:, top : top + tall, left : left + wide])
