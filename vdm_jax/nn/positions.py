"""Where a token stands relative to another."""

import math

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int


class RelativePositions(nn.Module):
    """A learned key for every signed distance between two frames, shared by heads.

    `a_ij = table[clip(j - i, -reach, reach)]`, added to the key of frame j as frame i sees it;
    nothing depends on absolute time. (Shaw et al. 2018, eq. 4, without the value term)
    """

    reach: int = 16

    @nn.compact
    def __call__(self, frames: int, features: int) -> Float[Array, "f f d"]:
        table = self.param(
            "table", nn.initializers.normal(features**-0.5), (2 * self.reach + 1, features)
        )
        distance = jnp.arange(frames)[None, :] - jnp.arange(frames)[:, None]
        return table[jnp.clip(distance, -self.reach, self.reach) + self.reach]


class BucketedPositions(nn.Module):
    """A learned bias of attention for every head and bucket of signed distances, `k l l`.

    (Raffel et al. 2020, section 2.1: relative position embeddings)
    """

    heads: int
    buckets: int = 32
    reach: int = 128

    @nn.compact
    def __call__(self, length: int) -> Float[Array, "k l l"]:
        table = self.param("table", nn.initializers.normal(1.0), (self.buckets, self.heads))
        distance = np.arange(length)[None, :] - np.arange(length)[:, None]
        return jnp.moveaxis(
            table[relative_position_bucket(distance, self.buckets, self.reach)], -1, 0
        )


def relative_position_bucket(
    distance: Int[np.ndarray, "..."], buckets: int = 32, reach: int = 128
) -> Int[np.ndarray, "..."]:
    """Half of the buckets for either side; of these, half for one distance each from 0, the others
    for ranges that grow geometrically up to `reach`, the last for all beyond.
    """
    side = buckets // 2
    exact = side // 2
    far = np.abs(distance)
    growth = np.float32(math.log(reach / exact))  # in float32, as all that T5 was trained with
    ratio = np.log(np.maximum(far, exact).astype(np.float32) / np.float32(exact)) / growth
    range_ = exact + (ratio * np.float32(side - exact)).astype(np.int32)
    bucket = np.where(far < exact, far, np.minimum(range_, side - 1))
    return bucket + side * (distance > 0)
