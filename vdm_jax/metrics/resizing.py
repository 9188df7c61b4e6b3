"""Steps that resize and crop frames before a feature network.

Published numbers depend on the kind of resize: TensorFlow 1 samples pixel corners and PyTorch pixel
centers; some implementations antialias and most do not. Every resize here is linear and separable,
one matrix for rows and one for columns, in float32. JAX arrays are resized by jnp, so that the
resize compiles into the network's program; numpy arrays, such as prefetched clips, by numpy.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor
from typing import Literal, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float
from PIL import Image

from vdm_jax.data import Size, sides

Frames = Float[Array | np.ndarray, "*b h w c"]
Resized = Float[Array | np.ndarray, "*b _ _ c"]
Rounding = Literal["down", "nearest", "up"]
Kernel = Literal["triangle", "cubic", "lanczos"]
"""The kernels that PIL calls bilinear, bicubic (a = -1/2) and Lanczos (a = 3)."""

_METHODS = {
    "triangle": Image.Resampling.BILINEAR,
    "cubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_ROUND: dict[Rounding, Callable[[float], int]] = {"down": floor, "nearest": round, "up": ceil}


@runtime_checkable
class PixelStep(Protocol):
    """A frozen dataclass that maps float32 frames or clips to float32 frames or clips."""

    def __call__(self, x: Frames) -> Float[Array | np.ndarray, "... _ _ c"]: ...


@dataclass(frozen=True)
class ShorterSide:
    """A target size: the shorter side becomes `size`, and the aspect ratio is kept.

    size: the shorter side in pixels.
    rounded: rounding of the longer side; torchvision rounds down, VideoGPT's evaluation up.
    """

    size: int
    rounded: Rounding = "down"

    def sides(self, height: int, width: int) -> tuple[int, int]:
        """The (height, width) after resizing frames of this height and width."""
        longer = _ROUND[self.rounded](self.size * max(height, width) / min(height, width))
        return (self.size, longer) if height <= width else (longer, self.size)


To = Size | ShorterSide
"""The target of a resize: a size, which may change the aspect ratio, or a shorter side."""


@dataclass(frozen=True)
class Legacy:
    """TensorFlow 1's `resize_bilinear`: output k samples input k in / out; edges repeat.

    Without antialiasing, as in every pipeline around TF-Hub's I3D.
    """

    to: To

    def __call__(self, x: Frames) -> Resized:
        return _resize(x, self.to, lambda n, m: _taps(np.arange(m) * (n / m), n, _triangle, 1))


@dataclass(frozen=True)
class HalfPixel:
    """Bilinear at (k + 1/2) in / out - 1/2 without antialiasing.

    PyTorch's `interpolate(align_corners=False)` and TensorFlow 2's `resize`.
    """

    to: To

    def __call__(self, x: Frames) -> Resized:
        return _resize(x, self.to, lambda n, m: _taps(_centers(n, m), n, _triangle, 1))


@dataclass(frozen=True)
class HalfPixelCubic:
    """Bicubic (a = -3/4) at (k + 1/2) in / out - 1/2 without antialiasing; edges repeat.

    PyTorch's `interpolate(mode="bicubic")` and OpenCV's `INTER_CUBIC`; values may overshoot.
    """

    to: To

    def __call__(self, x: Frames) -> Resized:
        return _resize(x, self.to, lambda n, m: _taps(_centers(n, m), n, _sharp_cubic, 2))


@dataclass(frozen=True)
class AlignCorners:
    """Bilinear with aligned corners: output k samples input k (in - 1) / (out - 1).

    Chainer's `resize_images`, used for C3D's inception score.
    """

    to: To

    def __call__(self, x: Frames) -> Resized:
        def weights(n: int, m: int) -> np.ndarray:
            return _taps(np.arange(m) * ((n - 1) / max(m - 1, 1)), n, _triangle, 1)

        return _resize(x, self.to, weights)


@dataclass(frozen=True)
class Antialiased:
    """A kernel at pixel centers, widened by in / out when shrinking, normalized at the edges.

    `jax.image.resize`, TensorFlow's and PyTorch's `antialias=True`, and PIL on floats.
    """

    to: To
    kernel: Kernel = "triangle"

    def __call__(self, x: Frames) -> Resized:
        return _resize(x, self.to, lambda n, m: _antialiased(n, m, self.kernel))


@dataclass(frozen=True)
class Pillow:
    """PIL's `resize` of uint8 frames, bit-exact: `Antialiased`, rounded after each of two passes.

    Resizes the width first, as PIL before version 13 does for all sizes. Input and output values
    are integers in 0..255. PIL's weights are multiples of 2^-22; compiled code splits them into
    high and low halves, two products that are exact in float32. Numpy arrays are resized by PIL.
    """

    to: To
    kernel: Kernel = "cubic"

    def __call__(self, x: Frames) -> Resized:
        height, width = _target(self.to, x)
        if not isinstance(x, Tracer):
            return self._by_pil(np.asarray(x), height, width)
        x = self._pass(x, "pw,...hwc->...hpc", x.shape[-2], width)
        return self._pass(x, "oh,...hwc->...owc", x.shape[-3], height)

    def _pass(self, x: Frames, axes: str, n: int, m: int) -> Resized:
        if n == m:
            return x
        fixed = _antialiased(n, m, self.kernel) * 2.0**22
        fixed = np.trunc(fixed + np.copysign(0.5, fixed))
        high = np.rint(fixed / 2.0**11)
        low = fixed - high * 2.0**11
        products = [_product(axes, weights, x).astype(jnp.int32) for weights in (high, low)]
        total = (products[0] << 11) + products[1] + (1 << 21)
        return jnp.clip(total >> 22, 0, 255).astype(jnp.float32)

    def _by_pil(self, x: np.ndarray, height: int, width: int) -> Frames:
        frames, method = x.astype(np.uint8).reshape(-1, *x.shape[-3:]), _METHODS[self.kernel]
        sizes = (width, x.shape[-3]), (width, height)

        def resize(channel: np.ndarray) -> np.ndarray:
            image = Image.fromarray(channel)
            for size in sizes:
                image = image.resize(size, method)
            return np.asarray(image)

        channels = [[resize(f[..., c]) for c in range(f.shape[-1])] for f in frames]
        joined = np.moveaxis(np.array(channels, np.float32), 1, -1)
        return joined.reshape(*x.shape[:-3], height, width, x.shape[-1])


@dataclass(frozen=True)
class CenterCrop:
    """The center of each frame.

    size: the crop in pixels.
    rounded: rounding of the top and left margins; torchvision's is "nearest", to even numbers.
    """

    size: Size
    rounded: Rounding = "down"

    def __call__(self, x: Frames) -> Resized:
        height, width = sides(self.size)
        down, across = x.shape[-3] - height, x.shape[-2] - width
        if min(down, across) < 0:
            raise ValueError(
                f"a crop of {height} x {width} pixels does not fit in frames of {x.shape[-3]} x "
                f"{x.shape[-2]}: resize them to ShorterSide({max(height, width)}) or more first"
            )
        top, left = (_ROUND[self.rounded](margin / 2) for margin in (down, across))
        return x[..., top : top + height, left : left + width, :]


def _target(to: To, x: Frames) -> tuple[int, int]:
    height, width = x.shape[-3:-1]
    return to.sides(height, width) if isinstance(to, ShorterSide) else sides(to)


def _resize(x: Frames, to: To, weights: Callable[[int, int], np.ndarray]) -> Resized:
    """Rows and columns multiplied by their matrices; an axis that keeps its length is unchanged."""
    height, width = _target(to, x)
    if x.shape[-3] != height:
        x = _product("oh,...hwc->...owc", weights(x.shape[-3], height), x)
    if x.shape[-2] != width:
        x = _product("pw,...hwc->...hpc", weights(x.shape[-2], width), x)
    return x


def _product(axes: str, weights: np.ndarray, x: Frames) -> Resized:
    matrix = weights.astype(np.float32)
    if isinstance(x, np.ndarray):
        return np.einsum(axes, matrix, x, optimize=True)
    return jnp.einsum(axes, matrix, x, precision=jax.lax.Precision.HIGHEST)


def _centers(n: int, m: int) -> np.ndarray:
    return (np.arange(m) + 0.5) * (n / m) - 0.5


def _taps(source: np.ndarray, n: int, kernel: Callable, reach: int) -> Float[np.ndarray, "m n"]:
    """The kernel around each source coordinate; taps outside fall on the nearest edge."""
    taps = np.floor(source)[:, None] + np.arange(1 - reach, 1 + reach)[None, :]
    weights = np.zeros((len(source), n))
    rows = np.broadcast_to(np.arange(len(source))[:, None], taps.shape)
    columns = np.clip(taps, 0, n - 1).astype(int)
    np.add.at(weights, (rows, columns), kernel(taps - source[:, None]))
    return weights


def _antialiased(n: int, m: int, kernel: Kernel) -> Float[np.ndarray, "m n"]:
    """The kernel around each source coordinate, widened when shrinking; weights add to 1."""
    distance = np.arange(n)[None, :] - _centers(n, m)[:, None]
    weights = _KERNELS[kernel](distance / max(n / m, 1))
    return weights / weights.sum(axis=1, keepdims=True)


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def _cubic(x: np.ndarray, a: float = -0.5) -> np.ndarray:
    """Keys 1981, eq. 4 with a free parameter; eq. 15 there is a = -1/2."""
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
