"""Frames too large for memory, in tiles: for models that look the same everywhere."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from vdm_jax.models import Conditioning
from vdm_jax.types import Denoiser, LogSNR, Video


@dataclass(frozen=True)
class Tiles:
    """x_hat of a fully convolutional super-resolution model, tile by tile, one in memory at a time.

    Tiles of `size` x `size` pixels overlap by `overlap`; `margin` pixels next to the border of a
    tile count for nothing, and between the margins of two tiles their shares change linearly. The
    shares of all tiles add up to 1. Since every call of the denoiser is put together again, there
    is one z for the whole video, and no tile is sampled by itself.

    Exact, to rounding, where a margin holds the receptive field and no layer looks at whole frames.
    `GroupNorm` does, for its statistics: with it, tiles differ from the whole as much as their
    statistics differ from the frame's, and the linear shares leave no step between them.

    step: tiles begin at multiples of it, as many as the strides of the network multiply to.
    """

    size: int = 256
    overlap: int = 64
    margin: int = 16
    step: int = 16

    def __post_init__(self):
        if not 0 <= 2 * self.margin < self.overlap < self.size:
            raise ValueError(
                f"Tiles: two margins of {self.margin} fit into an overlap of {self.overlap}, and "
                f"that into a size of {self.size}: 2 margin < overlap < size"
            )
        if self.size % self.step or self.overlap % self.step:
            raise ValueError(
                f"Tiles: size={self.size} and overlap={self.overlap} are multiples of "
                f"step={self.step}"
            )

    def starts(self, length: int) -> tuple[int, ...]:
        """Where tiles begin along an axis; the last ends with it."""
        if length <= self.size:
            return (0,)
        if (length - self.size) % self.step:
            raise ValueError(
                f"Tiles: {length} pixels and tiles of {self.size} differ by no multiple of "
                f"step={self.step}"
            )
        regular = range(0, length - self.size, self.size - self.overlap)
        return (*regular, length - self.size)

    def shares(self, length: int) -> Float[np.ndarray, "n size"]:
        """How much each pixel of each tile counts along an axis; for every pixel they sum to 1."""
        size, starts = min(self.size, length), self.starts(length)
        inside = np.arange(size) + 0.5
        own = np.zeros((len(starts), length))
        for tile, start in enumerate(starts):
            first, last = inside, size - inside
            if start == 0:
                first = np.full(size, np.inf)
            if start + size == length:
                last = np.full(size, np.inf)
            ramp = (np.minimum(first, last) - self.margin) / (self.overlap - 2 * self.margin)
            own[tile, start : start + size] = np.clip(ramp, 0, 1)
        own /= own.sum(axis=0, keepdims=True)
        return np.stack([row[s : s + size] for row, s in zip(own, starts, strict=True)])

    def __call__(
        self, denoiser: Callable[[Conditioning], Denoiser], cond: Conditioning
    ) -> Denoiser:
        """The denoiser under `cond`, in tiles; `denoiser(cond)` makes that of a tile."""
        low = cond.lowres
        if low is None:
            raise ValueError("Tiles are for super-resolution: cond.lowres is None")

        def tiled(z: Video, logsnr: LogSNR) -> Video:
            b, f, height, width, c = z.shape
            factor = height // low.shape[2]
            if self.step % factor:
                raise ValueError(
                    f"Tiles.step is {self.step}, no multiple of the {factor}-fold size"
                )
            tall, wide = min(self.size, height), min(self.size, width)
            rows, columns = self.starts(height), self.starts(width)
            corners = jnp.array([(top, left) for top in rows for left in columns])
            share = np.einsum("i h, j w -> i j h w", self.shares(height), self.shares(width))
            share = jnp.asarray(share.reshape(-1, 1, 1, tall, wide, 1), z.dtype)

            def add(total, tile):
                (top, left), share = tile
                part = jax.lax.dynamic_slice(z, (0, 0, top, left, 0), (b, f, tall, wide, c))
                small = jax.lax.dynamic_slice(
                    low,
                    (0, 0, top // factor, left // factor, 0),
                    (*low.shape[:2], tall // factor, wide // factor, low.shape[-1]),
                )
                x_hat = share * denoiser(replace(cond, lowres=small))(part, logsnr)
                there = jax.lax.dynamic_slice(total, (0, 0, top, left, 0), x_hat.shape)
                return jax.lax.dynamic_update_slice(
                    total, there + x_hat, (0, 0, top, left, 0)
                ), None

            return jax.lax.scan(add, jnp.zeros_like(z), (corners, share))[0]

        return tiled
