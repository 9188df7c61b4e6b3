"""Videos as files that open elsewhere: mp4, gif, png.

Videos are uint8 [f h w c] with c = 3 (colour) or 1 (grey). Encoders return bytes; `write` puts
them on disk in one step, so that a file that exists is complete.
"""

import io
import os
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Colorspace
from jaxtyping import UInt8
from PIL import Image

Frames = UInt8[np.ndarray, "f h w c"]

_BT709 = 1  # the code of ITU-T H.273 for primaries, transfer curve and matrix alike
_LIMITED_RANGE = 1  # AVCOL_RANGE_MPEG


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


def mp4(video: Frames, fps: float = 8.0, crf: int = 12) -> bytes:
    """H.264 in yuv420p, which every player opens; BT.709 colours.

    That format has even sides only: odd ones grow by one repeated row or column.
    """
    video = _rgb(video)
    _, h, w, _ = video.shape
    odd = ((0, h % 2), (0, w % 2), (0, 0))
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=_rate(fps), options={"crf": str(crf)})
        stream.height, stream.width = h + h % 2, w + w % 2
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED_RANGE
        for rgb in video:  # one at a time, for the video may be a long one in a file
            rgb = np.ascontiguousarray(np.pad(rgb, odd, "edge"))
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def gif(video: Frames, fps: float = 8.0) -> bytes:
    """A looping GIF, each frame with its own 256 colours, undithered.

    GIF counts hundredths of a second: single frames are rounded so that the sum keeps time.
    Equal neighbours become one longer frame.
    """
    ends = np.round(100 * np.arange(1, len(video) + 1) / float(_rate(fps))).astype(int)
    durations = 10 * np.diff(ends, prepend=0)
    if durations.min() < 20:
        raise ValueError(f"browsers play no GIF at {fps:g} frames a second: 50 is the most")
    frames = [Image.fromarray(frame).quantize(256) for frame in _rgb(video)]
    file = io.BytesIO()
    frames[0].save(
        file,
        "GIF",
        save_all=True,
        append_images=frames[1:],
        duration=durations.tolist(),
        loop=0,
        disposal=1,
        optimize=False,
    )
    return file.getvalue()


def png_grid(videos: Sequence[Frames], visible: int = 64, gap: int = 2) -> bytes:
    """One image: a row per clip, a column per frame, enlarged to sides of at least `visible`."""
    rows = [enlarge(_rgb(video), magnification(video, visible)) for video in videos]
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


def _rate(fps: float) -> Fraction:
    if not fps > 0:
        raise ValueError(f"fps must be positive, not {fps}")
    return Fraction(fps).limit_denominator(1001)  # 30000/1001 stays what it is


def _rgb(video: Frames) -> Frames:
    video = np.asarray(video)
    if video.dtype != np.uint8 or video.ndim != 4 or video.shape[3] not in (1, 3) or not video.size:
        raise ValueError(
            f"a video is uint8 [f h w c] with c = 1 or 3, not {video.dtype} {video.shape}: "
            "quantise floats with clip(round((x + 1) * 127.5), 0, 255)"
        )
    return video.repeat(3, axis=3) if video.shape[3] == 1 else video
