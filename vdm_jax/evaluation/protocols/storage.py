"""What keeping clips in files does to them, as steps: pictures, palettes and codecs that lose some.

Published pipelines go through such files more often than they say. PNG and .npy lose nothing.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vdm_jax.data.encoding import mp4
from vdm_jax.data.videos import probe, read
from vdm_jax.evaluation.resizing import Frames

Picture = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True)
class Jpeg:
    """Every frame through JPEG as PIL writes it: how some data sets are kept."""

    quality: int

    def __call__(self, x: Frames) -> Frames:
        return _each(x, self._frame)

    def _frame(self, frame: Picture) -> Picture:
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "JPEG", quality=self.quality)
        return np.asarray(Image.open(file))


@dataclass(frozen=True)
class Gif:
    """Every frame in 256 colours of its own, undithered: the least that a GIF loses."""

    def __call__(self, x: Frames) -> Frames:
        return _each(
            x, lambda frame: np.asarray(Image.fromarray(frame).quantize(256).convert("RGB"))
        )


@dataclass(frozen=True)
class H264:
    """A clip [f h w 3] through libx264 in 4:2:0: what is left of samples that are kept as mp4.

    crf: the constant rate factor, 0 (loses least) to 51; ffmpeg's own is 23. Odd sides grow by a
    repeated row or column for the codec, and lose it again.
    """

    crf: int = 23

    def __call__(self, x: Frames) -> Frames:
        height, width = x.shape[1:3]
        file = mp4(_whole(x), crf=self.crf)
        found = read(probe(file), range(len(x)), lambda height, width: (height, width))
        return found[:, :height, :width].astype(np.float32)


def _each(x: Frames, stored: Callable[[Picture], Picture]) -> Frames:
    frames = _whole(x)
    flat = frames.reshape(-1, *frames.shape[-3:])
    return np.stack([stored(frame) for frame in flat]).reshape(x.shape).astype(np.float32)


def _whole(x: Frames) -> UInt8[np.ndarray, "*b h w c"]:
    return np.clip(np.rint(np.asarray(x)), 0, 255).astype(np.uint8)
