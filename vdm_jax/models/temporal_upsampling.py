"""Temporal upsampling: the frames between those of a low-resolution video."""

import dataclasses
import itertools
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from vdm_jax.nn import nearest_upsample

Video = Float[Array, "b f h w c"]
Filled = Float[Array, "b {frames} h w _"]


@runtime_checkable
class TemporalUpsample(Protocol):
    """`f` frames to `frames`, a multiple of f; may add channels after those of the video."""

    def __call__(self, low: Video, frames: int) -> Filled: ...


@dataclasses.dataclass(frozen=True)
class Repeat:
    """Every frame is repeated until the next one. (Ho et al. 2022, Imagen Video, section 2.3)"""

    def __call__(self, low: Video, frames: int) -> Float[Array, "b {frames} h w c"]:
        return nearest_upsample(low, (_times(low, frames), 1, 1))


@dataclasses.dataclass(frozen=True)
class Blank:
    """Zeros between the frames, and one more channel: 1 in given frames, 0 between them.

    (Ho et al. 2022, Imagen Video, section 2.3)
    """

    def __call__(self, low: Video, frames: int) -> Filled:
        times = _times(low, frames)
        low = jnp.concatenate([low, jnp.ones_like(low[..., :1])], axis=-1)
        gaps = jnp.zeros((low.shape[0], low.shape[1], times - 1, *low.shape[2:]), low.dtype)
        return jnp.concatenate([low[:, :, None], gaps], axis=2).reshape(
            low.shape[0], frames, *low.shape[2:]
        )


@dataclasses.dataclass(frozen=True)
class LinearBlend:
    """Linear interpolation between two frames; the last frame is repeated to the end.

    For clips, not for packs of images, which it would mix. Not of the paper.
    """

    def __call__(self, low: Video, frames: int) -> Float[Array, "b {frames} h w c"]:
        times = _times(low, frames)
        weight = (jnp.arange(times, dtype=low.dtype) / times).reshape(1, 1, times, 1, 1, 1)
        later = jnp.concatenate([low[:, 1:], low[:, -1:]], axis=1)
        mixed = low[:, :, None] * (1 - weight) + later[:, :, None] * weight
        return mixed.reshape(low.shape[0], frames, *low.shape[2:])


@dataclasses.dataclass(frozen=True)
class MotionCompensated:
    """`LinearBlend` m, and both neighbouring frames a, b shifted along the motion: m, a - m, b - m.

    i of `times` frames after the earlier one, a(p) = earlier(p - i u), and b(p) = later(p + j u)
    with j = times - i. The motion u(p), in whole pixels per frame, has the least error
    `sum_q w(p - q) |a(q) - b(q)|^2`, w a Gaussian; among equal errors it is the slowest. In given
    frames and after the last one, a = b = m. (Block matching in both directions: Choi, Lee & Ko
    2000, New frame rate up-conversion using bi-directional motion estimation.) For clips, not for
    packs of images.

    reach: the largest motion along either axis (pixels per frame).
    window: the standard deviation of w (pixels).
    """

    reach: int = 2
    window: float = 4.0

    def __call__(self, low: Video, frames: int) -> Filled:
        mixture, times = LinearBlend()(low, frames), _times(low, frames)
        later = jnp.concatenate([low[:, 1:], low[:, -1:]], axis=1)
        pairs = [(low, low), *(self._matched(low, later, i, times - i) for i in range(1, times))]
        moved = (
            jnp.stack(views, axis=2).reshape(mixture.shape) for views in zip(*pairs, strict=True)
        )
        return jnp.concatenate([mixture, *(view - mixture for view in moved)], axis=-1)

    def _matched(self, earlier: Video, later: Video, i: int, j: int) -> tuple[Video, Video]:
        """a and b of the frame that is i frames after `earlier` and j before `later`."""
        steps = range(-self.reach, self.reach + 1)
        motions = sorted(itertools.product(steps, steps), key=lambda u: u[0] ** 2 + u[1] ** 2)
        rows, columns = (_gaussian(side, self.window) for side in earlier.shape[2:4])

        def match(best, u):
            a, b = _moved(earlier, i * u, i * self.reach), _moved(later, -j * u, j * self.reach)
            error = jnp.square(a - b).mean(axis=-1)
            error = jnp.einsum("y h, b f h w, x w -> b f y x", rows, error, columns)[..., None]
            better, new = error < best[0], (error, a, b)
            return tuple(jnp.where(better, *pair) for pair in zip(new, best, strict=True)), None

        worst = jnp.full((*earlier.shape[:-1], 1), jnp.inf, jnp.float32)
        (_, a, b), _ = jax.lax.scan(match, (worst, earlier, later), jnp.array(motions))
        return a, b


def _moved(video: Video, u: Int[Array, "2"], reach: int) -> Video:
    """The video at p - u, |u| at most `reach` pixels along either axis, with borders repeated."""
    sides = ((0, 0), (0, 0), (reach, reach), (reach, reach), (0, 0))
    return jax.lax.dynamic_slice(
        jnp.pad(video, sides, "edge"), (0, 0, reach - u[0], reach - u[1], 0), video.shape
    )


def _gaussian(side: int, std: float) -> Float[np.ndarray, "side side"]:
    """The matrix of a normalized Gaussian filter."""
    positions = np.arange(side)
    weights = np.exp(-np.square((positions[:, None] - positions) / std) / 2)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _times(low: Video, frames: int) -> int:
    if frames % low.shape[1]:
        raise ValueError(
            f"cannot upsample {low.shape[1]} frames to {frames}: the output length must be a "
            "multiple of cond.lowres's"
        )
    return frames // low.shape[1]
