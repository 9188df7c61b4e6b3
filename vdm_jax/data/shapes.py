"""The geometry of MovingShapes: the fraction of each pixel that a shape covers.

A shape is a signed distance (negative inside) in pixels, `x` to the right and `y` downwards from
its center. Its `radius` is half the width of its bounding box, except that a square has the area of
the disc of that radius, so that one threshold on the area separates small from large shapes.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

Distance = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def _circle(x, y, radius):
    return np.hypot(x, y) - radius


def _square(x, y, radius):
    return np.maximum(np.abs(x), np.abs(y)) - radius * np.sqrt(np.pi) / 2


def _triangle(x, y, radius):
    # Apex at (0, -radius), base from (-radius, radius) to (radius, radius).
    return np.maximum(y - radius, (2 * np.abs(x) - y - radius) / np.sqrt(5))


def _diamond(x, y, radius):
    return (np.abs(x) + np.abs(y) - radius) / np.sqrt(2)


def _ring(x, y, radius):
    return np.abs(np.hypot(x, y) - 0.75 * radius) - 0.25 * radius


def _cross(x, y, radius):
    along, across = np.maximum(np.abs(x), np.abs(y)), np.minimum(np.abs(x), np.abs(y))
    return np.maximum(along - radius, across - radius / 3)


DISTANCES: Mapping[str, Distance] = MappingProxyType(
    {
        "circle": _circle,
        "square": _square,
        "triangle": _triangle,
        "diamond": _diamond,
        "ring": _ring,
        "cross": _cross,
    }
)
"""The signed distance of each shape, by its name in captions."""


def coverage(
    shape: str,
    center: Float[np.ndarray, "*n 2"],
    radius: Float[np.ndarray, "*n"],
    size: int,
    rows: range | None = None,
    columns: range | None = None,
) -> Float[np.ndarray, "*n h w"]:
    """The fraction of each pixel that `shape` covers: mean over 2 x 2 points of a soft edge.

    The edge is clip(1/2 - distance, 0, 1) in units of the spacing of the points. There is one image
    for each of the leading axes `n`.

    center: (x, y) in units of the width; (0, 0) is the top left corner.
    radius: in units of the width.
    size: height and width of the whole image in pixels.
    rows, columns: those to compute; None is all.
    """
    rows, columns = rows or range(size), columns or range(size)
    middle = 2 * size * np.asarray(center, np.float32)
    reach = 2 * size * np.asarray(radius, np.float32)[..., None, None]
    x = _points(columns)[None, :] - middle[..., 0, None, None]
    y = _points(rows)[:, None] - middle[..., 1, None, None]
    soft = np.clip(0.5 - DISTANCES[shape](x, y, reach), 0.0, 1.0)
    return soft.reshape(*soft.shape[:-2], len(rows), 2, len(columns), 2).mean(axis=(-3, -1))


def _points(pixels: range) -> Float[np.ndarray, " n"]:
    """The centers of the halves of these pixels, in half pixels."""
    return np.arange(2 * pixels.start, 2 * pixels.stop, dtype=np.float32) + 0.5
