"""Steps from a decoded frame to that of a protocol, beside those of `evaluation.resizing`."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import UInt8

from vdm_jax.data import Size, sides
from vdm_jax.evaluation.resizing import Frames, Step

CENTER = (0.5, 0.5)


@dataclass(frozen=True)
class Square:
    """The middle of a frame, as large as its shorter side allows: DIGAN crops before it resizes."""

    def __call__(self, x: Frames) -> Frames:
        side = min(x.shape[-3:-1])
        top, left = (x.shape[-3] - side) // 2, (x.shape[-2] - side) // 2
        return x[..., top : top + side, left : left + side, :]


@dataclass(frozen=True)
class Part:
    """A part of `size` at `place`, shares in 0..1 of the room that there is down and across.

    The middle unless a reference has other `places`.
    """

    size: Size
    place: tuple[float, float] = CENTER

    def __call__(self, x: Frames) -> Frames:
        height, width = sides(self.size)
        room = (x.shape[-3] - height, x.shape[-2] - width)
        if min(room) < 0:
            raise ValueError(
                f"no part of {height} x {width} pixels fits in frames of {x.shape[-3]} x "
                f"{x.shape[-2]}: resize them first"
            )
        top, left = (min(int(p * (r + 1)), r) for p, r in zip(self.place, room, strict=True))
        return x[..., top : top + height, left : left + width, :]


def through(
    frames: UInt8[np.ndarray, "f h w 3"],
    steps: tuple[Step, ...],
    place: tuple[float, float] = CENTER,
) -> UInt8[np.ndarray, "f h w 3"]:
    """Frames after the steps, parts at `place`, rounded to 8 bits as published pipelines do."""
    if not steps:
        return frames
    x = frames.astype(np.float32)
    for step in steps:
        x = (replace(step, place=place) if isinstance(step, Part) else step)(x)
    return np.rint(x).clip(0, 255).astype(np.uint8)
