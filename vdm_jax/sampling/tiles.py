"""Tiled denoising of frames too large for memory, for fully convolutional models."""

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
    """x_hat of a fully convolutional super-resolution model, one tile at a time.

    Tiles overlap, and x_hat is their weighted sum, with weights that sum to 1 at every pixel: 0 in
    a tile's margins, and linear between the margins of two tiles. Every denoiser call combines its
    tiles, so the sampler has one z for the whole video; tiles are not sampled separately.

    Exact to rounding if the margin holds the receptive field and no layer sees whole frames.
    `GroupNorm` does, for its statistics: tiles then differ from the whole as their statistics
    differ from the frame's, and the linear weights blend them without a seam.

    size: the side of a tile in pixels.
    overlap: pixels that two neighboring tiles share.
    margin: pixels next to a tile's border that have weight 0.
    step: tiles start at multiples of it, which is the product of the network's strides.
    """

    size: int = 256
    overlap: int = 64
    margin: int = 16
    step: int = 16

    def __post_init__(self):
        if not 0 <= 2 * self.margin < self.overlap < self.size:
            raise ValueError(
                f"Tiles: margin={self.margin}, overlap={self.overlap} and size={self.size} must "
                "satisfy 2 margin < overlap < size"
            )
        if self.size % self.step or self.overlap % self.step:
            raise ValueError(
                f"Tiles: size={self.size} and overlap={self.overlap} must be multiples of "
                f"step={self.step}"
            )

    def starts(self, length: int) -> tuple[int, ...]:
        """The first pixel of each tile along an axis; the last tile ends with the axis."""
        if length <= self.size:
            return (0,)
        if (length - self.size) % self.step:
            raise ValueError(
                f"Tiles: {length} pixels minus tiles of {self.size} is no multiple of "
                f"step={self.step}"
            )
        regular = range(0, length - self.size, self.size - self.overlap)
        return (*regular, length - self.size)

    def weights(self, length: int) -> Float[np.ndarray, "n size"]:
        """The weight of each pixel of each tile along an axis; they sum to 1 at every pixel."""
        size, starts = min(self.size, length), self.starts(length)
        center = np.arange(size) + 0.5
        weights = np.zeros((len(starts), length))
        for tile, start in enumerate(starts):
            first, last = center, size - center
            if start == 0:
                first = np.full(size, np.inf)
            if start + size == length:
                last = np.full(size, np.inf)
            ramp = (np.minimum(first, last) - self.margin) / (self.overlap - 2 * self.margin)
            weights[tile, start : start + size] = np.clip(ramp, 0, 1)
        weights /= weights.sum(axis=0, keepdims=True)
        return np.stack([row[s : s + size] for row, s in zip(weights, starts, strict=True)])

    def __call__(
        self, denoiser: Callable[[Conditioning], Denoiser], cond: Conditioning
    ) -> Denoiser:
        """The tiled denoiser under `cond`; `denoiser(cond)` is that of a tile's conditions."""
        low = cond.lowres
        if low is None:
            raise ValueError(
                "Tiles need a super-resolution model, but cond.lowres is None: make tiles None"
            )

        def tiled(z: Video, logsnr: LogSNR) -> Video:
            b, f, height, width, c = z.shape
            factor = height // low.shape[2]
            if self.step % factor:
                raise ValueError(
                    f"Tiles.step={self.step} must be a multiple of the upsampling factor {factor}"
                )
            tall, wide = min(self.size, height), min(self.size, width)
            rows, columns = self.starts(height), self.starts(width)
            corners = jnp.array([(top, left) for top in rows for left in columns])
            weights = np.einsum("i h, j w -> i j h w", self.weights(height), self.weights(width))
            weights = jnp.asarray(weights.reshape(-1, 1, 1, tall, wide, 1), z.dtype)

            def add(total, tile):
                (top, left), weight = tile
                z_tile = jax.lax.dynamic_slice(z, (0, 0, top, left, 0), (b, f, tall, wide, c))
                low_tile = jax.lax.dynamic_slice(
                    low,
                    (0, 0, top // factor, left // factor, 0),
                    (*low.shape[:2], tall // factor, wide // factor, low.shape[-1]),
                )
                x_hat = weight * denoiser(replace(cond, lowres=low_tile))(z_tile, logsnr)
                before = jax.lax.dynamic_slice(total, (0, 0, top, left, 0), x_hat.shape)
                return jax.lax.dynamic_update_slice(
                    total, before + x_hat, (0, 0, top, left, 0)
                ), None

            return jax.lax.scan(add, jnp.zeros_like(z), (corners, weights))[0]

        return tiled
