"""Small videos for tests whose frames encode their numbers."""

from fractions import Fraction

import av
import numpy as np
from PIL import Image

from vdm_jax.data import VideoFolder

LEVEL = 6
"""Frame i of a test video is gray of level LEVEL * i."""


def encode(path, count=24, size=(32, 32), fps=24, stamps=None, first=0, **options):
    """Writes a video whose frames encode their numbers; `stamps` are times in 1/fps seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    gray = [np.full((*size, 3), n * LEVEL, np.uint8) for n in range(first, first + count)]
    if path.suffix == ".gif":
        images = [Image.fromarray(image) for image in gray]
        images[0].save(path, save_all=True, append_images=images[1:], duration=1000 // fps)
        return path
    with av.open(str(path), "w", options=options) as container:
        codec = "libvpx" if path.suffix == ".webm" else "mpeg4"
        stream = container.add_stream(
            codec, rate=fps, options={"qmin": "1", "qmax": "2", "b": "4M"}
        )
        stream.width, stream.height, stream.pix_fmt = size[1], size[0], "yuv420p"
        stream.codec_context.gop_size = 8
        for place, image in enumerate(gray):
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts = stamps[place] if stamps else place
            frame.time_base = Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def numbers(video):
    """The numbers of the frames of a clip."""
    return np.rint(video.mean(axis=(1, 2, 3)) / LEVEL).astype(int).tolist()


def folder(path, **fields):
    return VideoFolder(str(path), **{"frames": 4, "size": 16, **fields})


def draws(clips, index, count=50):
    return [clips.draw(index, np.random.default_rng(seed)) for seed in range(count)]
