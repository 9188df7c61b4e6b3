"""Videos as files that open elsewhere: mp4, gif, png.

Videos are uint8 [f h w c] with c = 3 (colour) or 1 (grey). `write` puts them on disk in one step,
so that a file that exists is complete.
"""

import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from vdm_jax.data.encoding import Frames, gif, mp4, rgb


def write(path: str | Path, video: Frames, fps: float = 8.0) -> None:
    """Write one video in the format its suffix names: .mp4, .gif, or .png (frames in a row).

    Raises ValueError for another suffix, and for an array that is no video.
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
    """Write H.264; see `mp4`."""
    save(path, mp4(video, fps))


def write_gif(path: str | Path, video: Frames, fps: float = 8.0) -> None:
    """Write a looping GIF; see `gif`."""
    save(path, gif(video, fps))


def write_png_grid(path: str | Path, videos: Sequence[Frames]) -> None:
    """Write clips as rows and their frames as columns; see `png_grid`."""
    save(path, png_grid(videos))


def png_grid(videos: Sequence[Frames], visible: int = 64, gap: int = 2) -> bytes:
    """One image: a row per clip, a column per frame, enlarged to sides of at least `visible`."""
    rows = [enlarge(rgb(video), magnification(video, visible)) for video in videos]
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


def magnification(video: Frames, visible: int) -> int:
    """The whole number that brings the shorter side to at least `visible` pixels."""
    return max(1, -(-visible // min(video.shape[1:3])))


def enlarge(video: Frames, factor: int) -> Frames:
    """Every pixel as a factor x factor square."""
    return video.repeat(factor, axis=1).repeat(factor, axis=2)


def save(path: str | Path, data: bytes) -> None:
    """Write a whole file or nothing: a temporary neighbour, renamed once it is complete."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o666 & ~_umask())  # mkstemp makes files that only we can read
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
