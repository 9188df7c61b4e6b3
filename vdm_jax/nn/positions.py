"""Learned relative positions of frames and of tokens."""

import math

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int


class RelativePositions(nn.Module):
    """A learned vector for every signed distance between two frames, shared by heads.

    `a_ij = table[clip(j - i, -reach, reach)]`, added to the key of frame j for the query of frame
    i; nothing depends on absolute time. (Shaw et al. 2018, eq. 4, without the value term)

    reach: the largest distance with a vector of its own.
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
    """A learned attention bias for every head and group of signed distances, `k l l`.

    (Raffel et al. 2020, section 2.1: relative position embeddings)

    buckets: how many groups.
    reach: distances beyond it share the last group.
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
    """The bucket of every signed distance: half of the buckets are for each sign.

    Half of these hold one distance each, from 0; the others hold ranges that grow geometrically up
    to `reach`, and the last one all distances beyond.
    """
    side = buckets // 2
    exact = side // 2
    far = np.abs(distance)
    growth = np.float32(math.log(reach / exact))  # in float32, as in T5
    ratio = np.log(np.maximum(far, exact).astype(np.float32) / np.float32(exact)) / growth
    range_ = exact + (ratio * np.float32(side - exact)).astype(np.int32)
    bucket = np.where(far < exact, far, np.minimum(range_, side - 1))
    return bucket + side * (distance > 0)
