"""How frames are resized and cropped on their way to a feature network.

Published numbers depend on the kind: TensorFlow 1 samples pixel corners and PyTorch pixel centres,
some widen the kernel to shrink and most do not. Every kind here is linear and separable, a matrix
for the rows and one for the columns, in float32: inside the network's own program, and by numpy of
frames that are numpy's, as those are that a process reads ahead.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor
from typing import Literal, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float
from PIL import Image

from vdm_jax.data import Size, sides

Frames = Float[Array | np.ndarray, "*b h w c"]
Rounding = Literal["down", "nearest", "up"]
Kernel = Literal["triangle", "cubic", "lanczos"]
"""Kernels that PIL calls bilinear, bicubic (a = -1/2) and Lanczos (a = 3)."""

_METHODS = {
    "triangle": Image.Resampling.BILINEAR,
    "cubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_ROUND: dict[Rounding, Callable[[float], int]] = {"down": floor, "nearest": round, "up": ceil}


class Step(Protocol):
    """A frozen dataclass that maps frames, or whole clips, in float32."""

    def __call__(self, x: Frames) -> Frames: ...


@dataclass(frozen=True)
class ShorterSide:
    """The shorter side becomes `size` and the proportions stay, up to rounding the longer side.

    torchvision rounds down, VideoGPT's evaluation up.
    """

    size: int
    rounded: Rounding = "down"

    def sides(self, height: int, width: int) -> tuple[int, int]:
        """The height and width that frames of this height and width are resized to."""
        longer = _ROUND[self.rounded](self.size * max(height, width) / min(height, width))
        return (self.size, longer) if height <= width else (longer, self.size)


To = Size | ShorterSide
"""What frames are resized to: a size, the proportions given up, or a shorter side."""


@dataclass(frozen=True)
class Legacy:
    """TensorFlow 1's `resize_bilinear`: output k looks at input k in / out, the last one repeated.

    No antialiasing: what every pipeline around TF-Hub's I3D does.
    """

    to: To

    def __call__(self, x: Frames) -> Frames:
        return _resized(x, self.to, lambda n, m: _taps(np.arange(m) * (n / m), n, _triangle, 1))


@dataclass(frozen=True)
class HalfPixel:
    """Bilinear at (k + 1/2) in / out - 1/2 without antialiasing.

    PyTorch's `interpolate(align_corners=False)` and TensorFlow 2's `resize`.
    """

    to: To

    def __call__(self, x: Frames) -> Frames:
        return _resized(x, self.to, lambda n, m: _taps(_centers(n, m), n, _triangle, 1))


@dataclass(frozen=True)
class HalfPixelCubic:
    """Bicubic (a = -3/4) at (k + 1/2) in / out - 1/2 without antialiasing, edges repeated.

    PyTorch's `interpolate(mode="bicubic")` and OpenCV's `INTER_CUBIC`, which overshoot.
    """

    to: To

    def __call__(self, x: Frames) -> Frames:
        return _resized(x, self.to, lambda n, m: _taps(_centers(n, m), n, _sharp_cubic, 2))


@dataclass(frozen=True)
class AlignCorners:
    """Bilinear with the corners on the corners: output k looks at input k (in - 1) / (out - 1).

    Chainer's `resize_images`, which is what C3D's inception score was computed with.
    """

    to: To

    def __call__(self, x: Frames) -> Frames:
        def weights(n: int, m: int) -> np.ndarray:
            return _taps(np.arange(m) * ((n - 1) / max(m - 1, 1)), n, _triangle, 1)

        return _resized(x, self.to, weights)


@dataclass(frozen=True)
class Antialiased:
    """A kernel at pixel centres, widened by in / out to shrink, normalised at the edges.

    `jax.image.resize`, TensorFlow's and PyTorch's `antialias=True`, and PIL on floats.
    """

    to: To
    kernel: Kernel = "triangle"

    def __call__(self, x: Frames) -> Frames:
        return _resized(x, self.to, lambda n, m: _widened(n, m, self.kernel))


@dataclass(frozen=True)
class Pillow:
    """PIL's `resize` of 8-bit frames, bit for bit: `Antialiased`, rounded after each of two passes.

    Along the rows first, as PIL did before its version 13 whatever the sizes. Values in are whole,
    0 to 255, and so are those that come out. PIL counts in units of 2^-22; in a compiled program
    the high and low halves of its weights are two products that are exact in float32. Elsewhere PIL
    itself is asked, whose few numbers a pixel are soon multiplied.
    """

    to: To
    kernel: Kernel = "cubic"

    def __call__(self, x: Frames) -> Frames:
        height, width = _target(self.to, x)
        if not isinstance(x, Tracer):
            return self._by_pil(np.asarray(x), height, width)
        x = self._pass(x, "pw,...hwc->...hpc", x.shape[-2], width)
        return self._pass(x, "oh,...hwc->...owc", x.shape[-3], height)

    def _pass(self, x: Frames, axes: str, n: int, m: int) -> Frames:
        if n == m:
            return x
        fixed = _widened(n, m, self.kernel) * 2.0**22
        fixed = np.trunc(fixed + np.copysign(0.5, fixed))
        high = np.rint(fixed / 2.0**11)
        low = fixed - high * 2.0**11
        parts = [_product(axes, weights, x).astype(jnp.int32) for weights in (high, low)]
        total = (parts[0] << 11) + parts[1] + (1 << 21)
        return jnp.clip(total >> 22, 0, 255).astype(jnp.float32)

    def _by_pil(self, x: np.ndarray, height: int, width: int) -> Frames:
        frames, method = x.astype(np.uint8).reshape(-1, *x.shape[-3:]), _METHODS[self.kernel]
        sizes = (width, x.shape[-3]), (width, height)

        def resized(channel: np.ndarray) -> np.ndarray:
            image = Image.fromarray(channel)
            for size in sizes:
                image = image.resize(size, method)
            return np.asarray(image)

        found = [[resized(f[..., c]) for c in range(f.shape[-1])] for f in frames]
        whole = np.moveaxis(np.array(found, np.float32), 1, -1)
        return whole.reshape(*x.shape[:-3], height, width, x.shape[-1])


@dataclass(frozen=True)
class CenterCrop:
    """The middle of each frame. Of an odd margin "down" leaves less above and to the left.

    "nearest" is torchvision's, which rounds half margins to even numbers.
    """

    size: Size
    rounded: Rounding = "down"

    def __call__(self, x: Frames) -> Frames:
        height, width = sides(self.size)
        down, across = x.shape[-3] - height, x.shape[-2] - width
        if min(down, across) < 0:
            raise ValueError(
                f"no crop of {height} x {width} pixels fits in frames of {x.shape[-3]} x "
                f"{x.shape[-2]}: resize them first, to ShorterSide({max(height, width)}) or more"
            )
        top, left = (_ROUND[self.rounded](margin / 2) for margin in (down, across))
        return x[..., top : top + height, left : left + width, :]


def _target(to: To, x: Frames) -> tuple[int, int]:
    height, width = x.shape[-3:-1]
    return to.sides(height, width) if isinstance(to, ShorterSide) else sides(to)


def _resized(x: Frames, to: To, weights: Callable[[int, int], np.ndarray]) -> Frames:
    """Both axes by their matrices; an axis that keeps its length is left alone by every kind."""
    height, width = _target(to, x)
    if x.shape[-3] != height:
        x = _product("oh,...hwc->...owc", weights(x.shape[-3], height), x)
    if x.shape[-2] != width:
        x = _product("pw,...hwc->...hpc", weights(x.shape[-2], width), x)
    return x


def _product(axes: str, weights: np.ndarray, x: Frames) -> Frames:
    matrix = weights.astype(np.float32)
    if isinstance(x, np.ndarray):
        return np.einsum(axes, matrix, x, optimize=True)
    return jnp.einsum(axes, matrix, x, precision=jax.lax.Precision.HIGHEST)


def _centers(n: int, m: int) -> np.ndarray:
    return (np.arange(m) + 0.5) * (n / m) - 0.5


def _taps(source: np.ndarray, n: int, kernel: Callable, reach: int) -> Float[np.ndarray, "m n"]:
    """The kernel around each source coordinate; places outside are those of the nearest edge."""
    places = np.floor(source)[:, None] + np.arange(1 - reach, 1 + reach)[None, :]
    weights = np.zeros((len(source), n))
    rows = np.broadcast_to(np.arange(len(source))[:, None], places.shape)
    columns = np.clip(places, 0, n - 1).astype(int)
    np.add.at(weights, (rows, columns), kernel(places - source[:, None]))
    return weights


def _widened(n: int, m: int, kernel: Kernel) -> Float[np.ndarray, "m n"]:
    """The kernel around each source coordinate, wider to shrink; its weights add to 1."""
    distance = np.arange(n)[None, :] - _centers(n, m)[:, None]
    weights = _KERNELS[kernel](distance / max(n / m, 1))
    return weights / weights.sum(axis=1, keepdims=True)


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def _cubic(x: np.ndarray, a: float = -0.5) -> np.ndarray:
    """Keys 1981, eq. 4 with a free parameter; his own eq. 15 is a = -1/2."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x**2 + 1
    far = a * (((x - 5) * x + 8) * x - 4)
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _sharp_cubic(x: np.ndarray) -> np.ndarray:
    return _cubic(x, -0.75)


def _lanczos(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


_KERNELS: dict[Kernel, Callable[[np.ndarray], np.ndarray]] = {
    "triangle": _triangle,
    "cubic": _cubic,
    "lanczos": _lanczos,
}
