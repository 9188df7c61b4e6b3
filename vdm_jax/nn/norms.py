"""Normalisation of single frames or tokens, with statistics in float32."""

import math
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float

from vdm_jax.nn.remat import MOMENTS
from vdm_jax.nn.sharding import fold_frames, unfold_frames


class GroupNorm(nn.Module):
    """Group normalisation of every frame by itself, optionally with a conditional scale and shift.

    `y = (h - mean_g) / sqrt(var_g + epsilon) * scale + bias`, then `y * (1 + a) + b`. The mean and
    the variance are those of one group of channels in one frame, so different clips in one batch
    element stay independent. (Wu & He 2018)

    groups: their number is the greatest common divisor of this and the channels.
    """

    groups: int = 32
    epsilon: float = 1e-5

    @nn.compact
    def __call__(
        self,
        h: Float[Array, "b f h w c"],
        modulation: tuple[Float[Array, "b #f c"], Float[Array, "b #f c"]] | None = None,
    ) -> Float[Array, "b f h w c"]:
        """modulation: the pair (a, b)."""
        batch, frames, channels = h.shape[0], h.shape[1], h.shape[-1]
        scale = self.param("scale", nn.initializers.ones, (channels,))
        bias = self.param("bias", nn.initializers.zeros, (channels,))
        if modulation is not None:
            a, b = (fold_frames(jnp.broadcast_to(m, (batch, frames, channels))) for m in modulation)
            modulation = (a, b)
        groups = math.gcd(self.groups, channels)
        return unfold_frames(
            _normalized(fold_frames(h), scale, bias, modulation, groups, self.epsilon), batch
        )


@partial(jax.jit, static_argnames=("groups", "epsilon"))
def _normalized(
    h: Float[Array, "n h w c"],
    scale: Float[Array, "c"],
    bias: Float[Array, "c"],
    modulation: tuple[Float[Array, "n c"], Float[Array, "n c"]] | None,
    groups: int,
    epsilon: float,
) -> Float[Array, "n h w c"]:
    """`GroupNorm` of images, traced once for all norms of a shape."""
    channels = h.shape[-1]
    scale, bias = (jnp.asarray(p, jnp.float32).reshape(1, channels) for p in (scale, bias))
    if modulation is not None:
        a, b = (m.astype(jnp.float32) for m in modulation)
        scale, bias = scale * (1 + a), bias * (1 + a) + b
    member = np.repeat(np.eye(groups, dtype=np.float32), channels // groups, axis=0)  # c g
    wide = h.astype(jnp.float32)
    moments = jnp.stack([wide.mean(axis=(1, 2)), jnp.square(wide).mean(axis=(1, 2))])
    moments = checkpoint_name(moments, MOMENTS)
    mean, square = jnp.dot(moments, member * (groups / channels), precision="highest")
    inverse = jax.lax.rsqrt(jnp.maximum(square - jnp.square(mean), 0) + epsilon)
    mean, inverse = jnp.dot(jnp.stack([mean, inverse]), member.T, precision="highest")
    gain = scale * inverse
    offset = bias - mean * gain
    y = wide * gain[:, None, None] + offset[:, None, None]
    return y.astype(h.dtype)


class RMSNorm(nn.Module):
    """`h / sqrt(mean(h^2) + epsilon) * scale`, over the features. (Zhang & Sennrich 2019, eq. 4)"""

    epsilon: float = 1e-6

    @nn.compact
    def __call__(self, h: Float[Array, "*n d"]) -> Float[Array, "*n d"]:
        scale = self.param("scale", nn.initializers.ones, h.shape[-1:])
        scale = scale.astype(jnp.float32).reshape((1,) * (h.ndim - 1) + scale.shape)
        wide = h.astype(jnp.float32)
        size = jnp.square(wide).mean(axis=-1, keepdims=True)
        return (wide * jax.lax.rsqrt(size + self.epsilon) * scale).astype(h.dtype)


class BatchNorm(nn.Module):
    """`(h - mean) / sqrt(variance + epsilon) * scale + bias`, with statistics that are parameters.

    For inference: the statistics are those of a trained network, never those of the batch.
    (Ioffe & Szegedy 2015, algorithm 2)

    scaled: False: there is no scale, which the next layer's kernel can replace.
    """

    epsilon: float = 1e-5
    scaled: bool = True

    @nn.compact
    def __call__(self, h: Float[Array, "*n c"]) -> Float[Array, "*n c"]:
        size, one, zero = h.shape[-1:], nn.initializers.ones, nn.initializers.zeros
        kinds = (("mean", zero), ("variance", one), ("bias", zero))
        mean, variance, bias = (
            jnp.asarray(self.param(name, start, size), jnp.float32) for name, start in kinds
        )
        gain = jax.lax.rsqrt(variance + self.epsilon)
        if self.scaled:
            gain = gain * jnp.asarray(self.param("scale", one, size), jnp.float32)
        gain, offset = (p.reshape((1,) * (h.ndim - 1) + size) for p in (gain, bias - mean * gain))
        return (h.astype(jnp.float32) * gain + offset).astype(h.dtype)


class InstanceNorm(nn.Module):
    """`(h - mean_hw) / sqrt(var_hw + epsilon)` per frame and channel, without parameters.

    (Ulyanov et al. 2016, eq. 4)
    """

    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, h: Float[Array, "*n h w c"]) -> Float[Array, "*n h w c"]:
        wide = h.astype(jnp.float32)
        mean = wide.mean(axis=(-3, -2), keepdims=True)
        variance = jnp.square(wide - mean).mean(axis=(-3, -2), keepdims=True)
        return ((wide - mean) * jax.lax.rsqrt(variance + self.epsilon)).astype(h.dtype)
