"""Cropping steps from decoded frames to those of a protocol, besides those of `metrics`."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import UInt8

from vdm_jax.data import Size, sides
from vdm_jax.metrics.resizing import Frames, PixelStep, Resized

CENTER = (0.5, 0.5)


@dataclass(frozen=True)
class SquareCrop:
    """The center square of a frame, with the side of its shorter side; DIGAN's crop."""

    def __call__(self, x: Frames) -> Resized:
        side = min(x.shape[-3:-1])
        top, left = (x.shape[-3] - side) // 2, (x.shape[-2] - side) // 2
        return x[..., top : top + side, left : left + side, :]


@dataclass(frozen=True)
class Crop:
    """A crop at a relative position.

    size: of the crop, in pixels.
    position: (vertical, horizontal) in 0..1 of the free margin; the center by default. The real
      clips of a protocol replace it by their `crop_positions`.
    """

    size: Size
    position: tuple[float, float] = CENTER

    def __call__(self, x: Frames) -> Resized:
        height, width = sides(self.size)
        margins = (x.shape[-3] - height, x.shape[-2] - width)
        if min(margins) < 0:
            raise ValueError(
                f"a crop of {height} x {width} pixels does not fit in frames of {x.shape[-3]} x "
                f"{x.shape[-2]}: resize them first"
            )
        top, left = (min(int(p * (m + 1)), m) for p, m in zip(self.position, margins, strict=True))
        return x[..., top : top + height, left : left + width, :]


def apply_steps(
    frames: UInt8[np.ndarray, "f h w 3"],
    steps: tuple[PixelStep, ...],
    position: tuple[float, float] = CENTER,
) -> UInt8[np.ndarray, "f _ _ 3"]:
    """Frames after the steps, with every `Crop` at `position`, rounded to uint8.

    Published pipelines round here as well.
    """
    if not steps:
        return frames
    x = frames.astype(np.float32)
    for step in steps:
        x = (replace(step, position=position) if isinstance(step, Crop) else step)(x)
    return np.rint(x).clip(0, 255).astype(np.uint8)
