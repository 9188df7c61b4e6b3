"""Videos as mp4, gif and png files.

Videos are uint8 [f h w c] with c = 3 (color) or 1 (gray). Files are written atomically: a file that
exists is complete.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vdm_jax.data.encoding import Frames, gif, mp4, rgb
from vdm_jax.storage import atomic_file


def write(path: str | Path, video: Frames, fps: float = 8.0) -> None:
    """Writes one video in the format of the suffix: .mp4, .gif, or .png (frames in a row).

    Raises:
      ValueError: another suffix, or an array that is no video.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".mp4":
        write_mp4(path, video, fps)
    elif suffix == ".gif":
        write_gif(path, video, fps)
    elif suffix == ".png":
        write_png_grid(path, [video])
    else:
        raise ValueError(f"cannot write {path}: the suffix must be .mp4, .gif or .png")


def write_mp4(path: str | Path, video: Frames, fps: float = 8.0) -> None:
    """Writes H.264; see `mp4`."""
    write_bytes(path, mp4(video, fps))


def write_gif(path: str | Path, video: Frames, fps: float = 8.0) -> None:
    """Writes a looping GIF; see `gif`."""
    write_bytes(path, gif(video, fps))


def write_png_grid(path: str | Path, videos: Sequence[Frames]) -> None:
    """Writes clips as rows and frames as columns; see `png_grid`."""
    write_bytes(path, png_grid(videos))


def png_grid(videos: Sequence[Frames], min_side: int = 64, gap: int = 2) -> bytes:
    """One image with a row per clip and a column per frame.

    min_side: pixels; clips with a shorter side are upscaled by a whole factor.
    gap: pixels between frames.
    """
    rows = [upscale(rgb(video), upscale_factor(video, min_side)) for video in videos]
    if not rows:
        raise ValueError("a grid needs at least one video")
    if len({row.shape for row in rows}) > 1:
        raise ValueError(
            "the videos of a grid must have one shape, not "
            f"{sorted({np.asarray(video).shape for video in videos})}"
        )
    grid = np.pad(np.stack(rows), ((0, 0), (0, 0), (0, gap), (0, gap), (0, 0)), constant_values=128)
    n, f, h, w, c = grid.shape
    image = grid.transpose(0, 2, 1, 3, 4).reshape(n * h, f * w, c)[: n * h - gap, : f * w - gap]
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def upscale_factor(video: Frames, min_side: int) -> int:
    """The least whole factor that makes the shorter side at least `min_side` pixels."""
    return max(1, -(-min_side // min(video.shape[1:3])))


def upscale(video: Frames, factor: int) -> UInt8[np.ndarray, "f _ _ c"]:
    """The video with every pixel repeated as a `factor` x `factor` square."""
    return video.repeat(factor, axis=1).repeat(factor, axis=2)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Writes a file atomically, and its folder if needed."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as partial:
        partial.write_bytes(data)
