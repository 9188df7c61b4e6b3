"""Encoding of videos uint8 [f h w c], c = 3 (color) or 1 (gray), as the bytes of MP4 and GIF."""

import io
from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import Colorspace
from jaxtyping import UInt8
from PIL import Image

Frames = UInt8[np.ndarray, "f h w c"]

_BT709 = 1  # code of ITU-T H.273 for primaries, transfer curve and matrix
_LIMITED_RANGE = 1  # AVCOL_RANGE_MPEG


def mp4(video: Frames, fps: float = 8.0, crf: int = 12) -> bytes:
    """An MP4 with H.264 in yuv420p, which every player supports, and BT.709 colors.

    The format needs even sides: odd ones are padded by one repeated row or column.
    """
    video = rgb(video)
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
        for image in video:  # one at a time: the video may be memory-mapped
            even = np.ascontiguousarray(np.pad(image, odd, "edge"))
            frame = av.VideoFrame.from_ndarray(even, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def gif(video: Frames, fps: float = 8.0) -> bytes:
    """A looping GIF, each frame with its own 256 colors, without dithering.

    GIF counts hundredths of a second: frame durations are rounded so that errors do not accumulate.
    Equal consecutive frames become one longer frame.

    Raises:
      ValueError: more than 50 frames a second.
    """
    ends = np.round(100 * np.arange(1, len(video) + 1) / float(_rate(fps))).astype(int)
    durations = 10 * np.diff(ends, prepend=0)
    if durations.min() < 20:
        raise ValueError(f"a GIF has at most 50 frames a second in browsers, not {fps:g}")
    frames = [Image.fromarray(frame).quantize(256) for frame in rgb(video)]
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


def rgb(video: Frames) -> UInt8[np.ndarray, "f h w 3"]:
    """A video with three channels.

    Raises:
      ValueError: not uint8 [f h w c] with c = 1 or 3.
    """
    video = np.asarray(video)
    if video.dtype != np.uint8 or video.ndim != 4 or video.shape[3] not in (1, 3) or not video.size:
        raise ValueError(
            f"a video is uint8 [f h w c] with c = 1 or 3, not {video.dtype} {video.shape}: "
            "quantize floats with clip(round((x + 1) * 127.5), 0, 255)"
        )
    return video.repeat(3, axis=3) if video.shape[3] == 1 else video


def _rate(fps: float) -> Fraction:
    if not fps > 0:
        raise ValueError(f"fps must be positive, not {fps}")
    return Fraction(fps).limit_denominator(1001)  # exact for 30000/1001
