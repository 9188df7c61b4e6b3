"""Normalisation, one frame at a time, with statistics in float32."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp


class GroupNorm(nn.Module):
    """Group normalisation of every frame by itself, optionally with a conditional scale and shift.

    `y = (h - mean_g) / sqrt(var_g + epsilon) * scale + bias`, then `y * (1 + a) + b`. The mean and
    the variance are those of one group of channels in one frame, so that frames that share a row
    but not a clip never see one another. The number of groups is the greatest common divisor of
    `groups` and the channels. (Wu & He 2018)
    """

    groups: int = 32
    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, h: jax.Array, modulation: tuple[jax.Array, jax.Array] | None = None):
        """h: `b f h w c`; modulation: (a, b), each `b f c` or `b 1 c`."""
        channels = h.shape[-1]
        scale = self.param("scale", nn.initializers.ones, (channels,))
        bias = self.param("bias", nn.initializers.zeros, (channels,))
        scale, bias = (jnp.asarray(p, jnp.float32).reshape(1, 1, channels) for p in (scale, bias))
        if modulation is not None:
            a, b = (jnp.asarray(m, jnp.float32) for m in modulation)
            scale, bias = scale * (1 + a), bias * (1 + a) + b

        groups = math.gcd(self.groups, channels)
        grouped = h.astype(jnp.float32).reshape(*h.shape[:-1], groups, channels // groups)
        mean = grouped.mean(axis=(2, 3, 5))  # b f g
        variance = jnp.square(grouped).mean(axis=(2, 3, 5)) - jnp.square(mean)
        inverse = jax.lax.rsqrt(jnp.maximum(variance, 0) + self.epsilon)
        mean, inverse = (jnp.repeat(s, channels // groups, axis=-1) for s in (mean, inverse))

        gain = scale * inverse
        offset = bias - mean * gain
        y = h.astype(jnp.float32) * gain[:, :, None, None] + offset[:, :, None, None]
        return y.astype(h.dtype)
