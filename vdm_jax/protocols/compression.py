"""Steps that apply the loss of lossy files: JPEG, GIF and H.264.

Published pipelines often store clips in such files. PNG and .npy are lossless.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vdm_jax.data.encoding import mp4
from vdm_jax.data.videos import probe, read
from vdm_jax.metrics.resizing import Frames

Frame = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True)
class Jpeg:
    """Every frame encoded as JPEG by PIL, as some data sets store frames.

    quality: PIL's quality, 1 to 95.
    """

    quality: int

    def __call__(self, x: Frames) -> Frames:
        return _each_frame(x, self._frame)

    def _frame(self, frame: Frame) -> Frame:
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "JPEG", quality=self.quality)
        return np.asarray(Image.open(file))


@dataclass(frozen=True)
class Gif:
    """Every frame quantized to its own 256 colors without dithering, the smallest loss of a GIF."""

    def __call__(self, x: Frames) -> Frames:
        return _each_frame(
            x, lambda frame: np.asarray(Image.fromarray(frame).quantize(256).convert("RGB"))
        )


@dataclass(frozen=True)
class H264:
    """A clip [f h w 3] encoded by libx264 in 4:2:0, as in mp4 files.

    Odd sides are padded by a repeated row or column for the codec and cropped again.

    crf: the constant rate factor, 0 (smallest loss) to 51; ffmpeg's default is 23.
    """

    crf: int = 23

    def __call__(self, x: Frames) -> Frames:
        height, width = x.shape[1:3]
        file = mp4(_to_uint8(x), crf=self.crf)
        frames = read(probe(file), range(len(x)), lambda height, width: (height, width))
        return frames[:, :height, :width].astype(np.float32)


def _each_frame(x: Frames, encode: Callable[[Frame], Frame]) -> Frames:
    frames = _to_uint8(x)
    flat = frames.reshape(-1, *frames.shape[-3:])
    return np.stack([encode(frame) for frame in flat]).reshape(x.shape).astype(np.float32)


def _to_uint8(x: Frames) -> UInt8[np.ndarray, "*b h w c"]:
    return np.clip(np.rint(np.asarray(x)), 0, 255).astype(np.uint8)
