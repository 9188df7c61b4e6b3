"""Matched filters for the shapes of `MovingShapes`, and the courses of their motions."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from vdm_jax import data


@dataclass(frozen=True)
class Templates:
    """The possible looks of one object of a source, as hypotheses over shape, size and growth.

    A growth is the radius over the frames; most motions share the constant one.

    side: side of a template's patch, in pixels; the centroid is in the middle, plus an offset.
    hypotheses: (shape, size, index of the growth).
    patches: the templates of each hypothesis, of norm 1, at `o` offsets within a pixel.
    growth: index of the growth, by motion.
    course: centroid (x, y) relative to its mean over frames, in units of the width, by motion.
    """

    side: int
    hypotheses: tuple[tuple[str, str, int], ...]
    patches: Float[np.ndarray, "k f o p"]
    growth: dict[str, int]
    course: dict[str, Float[np.ndarray, "f 2"]]

    def fits(
        self, cover: Float[np.ndarray, "b f h w"], center: Float[np.ndarray, "b f 2"]
    ) -> Float[np.ndarray, "b k f"]:
        """The cosine of each frame and each hypothesis's template at its best offset, in 0..1."""
        b, f, _, w = cover.shape
        corner = np.rint(center * w - self.side / 2).astype(int) + self.side
        padded = np.pad(cover, ((0, 0), (0, 0), (self.side, self.side), (self.side, self.side)))
        reach = np.arange(self.side)
        rows = (corner[..., 1, None] + reach)[..., :, None]
        columns = (corner[..., 0, None] + reach)[..., None, :]
        clips, frames = np.arange(b)[:, None, None, None], np.arange(f)[None, :, None, None]
        patches = padded[clips, frames, rows, columns].reshape(b, f, -1).swapaxes(0, 1)
        # One hypothesis at a time, so that the products [f b o] stay small.
        best = [np.max(patches @ bank.swapaxes(1, 2), axis=-1) for bank in self.patches]
        norms = np.sqrt(np.square(cover).sum(axis=(2, 3)))
        return np.stack(best).transpose(2, 0, 1) / np.maximum(norms, 1e-6)[:, None]


@lru_cache(maxsize=8)
def templates(source: data.MovingShapes) -> Templates:
    """The templates of a source, measured on frames that the source renders."""
    one = source.attributes(0)[0]
    steady = replace(source, travel=(np.mean(source.travel).item(),) * 2)
    largest = max(source.sizes, key=source.radius)
    whole = source.template(one.shape, source.radius(largest), source.size, (0.5, 0.5)).sum()
    growths: list[np.ndarray] = []
    growth, course = {}, {}
    for motion in source.motions:
        label = steady.label([replace(one, motion=motion, size=largest)])
        video = steady.render(label, np.random.default_rng(0)).astype(np.float64)
        colors = steady.color(one.color), steady.color(steady.background(label))
        cover = coverage(video, *(color.astype(np.float64) for color in colors))
        centers = centroids(cover)
        course[motion] = centers - centers.mean(axis=0)
        scale = np.sqrt(cover.sum(axis=(1, 2)) / whole)
        equal = [i for i, other in enumerate(growths) if np.abs(scale - other).max() < 0.1]
        growth[motion] = equal[0] if equal else len(growths)
        if not equal:
            growths.append(scale)
    side = int(np.ceil(2 * source.radius(largest) * source.size)) + 4
    hypotheses = [
        (shape, size, i)
        for shape in source.shapes
        for size in source.sizes
        for i in range(len(growths))
    ]
    patches = np.stack(
        [
            [_patches(source, shape, source.radius(size) * scale, side) for scale in growths[i]]
            for shape, size, i in hypotheses
        ]
    )
    return Templates(side, tuple(hypotheses), patches.astype(np.float32), growth, course)


def coverage(
    video: Float[np.ndarray, "*n h w c"],
    color: Float[np.ndarray, "*#n c"],
    background: Float[np.ndarray, "*#n c"],
) -> Float[np.ndarray, "*n h w"]:
    """The position of each pixel between background (0) and color (1)."""
    axis = (color - background)[..., None, None, :]
    position = ((video - background[..., None, None, :]) * axis).sum(-1) / np.square(axis).sum(-1)
    return np.clip(position, 0, 1)


def centroids(weight: Float[np.ndarray, "*n h w"]) -> Float[np.ndarray, "*n 2"]:
    """The centroid (x, y) of each frame in units of its width; the middle if it is empty."""
    h, w = weight.shape[-2:]
    total = weight.sum(axis=(-2, -1))
    x = (weight.sum(-2) * (np.arange(w) + 0.5)).sum(-1) / np.maximum(total, 1e-6) / w
    y = (weight.sum(-1) * (np.arange(h) + 0.5)).sum(-1) / np.maximum(total, 1e-6) / w
    return np.where((total > 1e-6)[..., None], np.stack([x, y], axis=-1), 0.5)


_OFFSETS: Int[np.ndarray, "o 2"] = np.stack(
    np.meshgrid(np.arange(-4, 5), np.arange(-4, 5)), axis=-1
).reshape(-1, 2)
"""Offsets in quarters of a pixel, up to one pixel each way: the centroid's rounding and noise."""


def _patches(
    source: data.MovingShapes, shape: str, radius: float, side: int
) -> Float[np.ndarray, "o p"]:
    radius = radius * source.size / side
    middle = source.template(shape, radius, side, (0.5, 0.5))
    start = 1 - centroids(middle)  # the shape's center that puts its centroid in the middle
    patches = [
        source.template(shape, radius, side, tuple(start + offset / (4 * side)))
        for offset in _OFFSETS
    ]
    flat = np.stack(patches).reshape(len(_OFFSETS), -1)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)
