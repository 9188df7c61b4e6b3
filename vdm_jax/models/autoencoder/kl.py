"""The autoencoder of Stable Diffusion, frame by frame.

(Rombach et al. 2022, arXiv 2112.10752, section 3.1 and appendix G; the layers of Esser et al. 2021)
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from vdm_jax.nn import (
    AdditiveBlock,
    DownsampleConv,
    GroupNorm,
    UpsampleConv,
    convolution,
    dense,
    flatten_space,
    projections,
    spatial_attention,
    unflatten_space,
)

EPSILON = 1e-6  # of all its norms


class AutoencoderKL(nn.Module):
    """Frames to a normal distribution of latents; each level but the first halves both sides.

    channels: the base width.
    widths: of each level, as multiples of the base width.
    blocks: residual blocks of each level of the encoder; the decoder has one more.
    latent: channels of z.
    colors: channels of x.
    scale: scales latents to unit variance; only `encode` and `decode` apply it.
    """

    channels: int = 128
    widths: tuple[int, ...] = (1, 2, 4, 4)
    blocks: int = 2
    latent: int = 4
    colors: int = 3
    scale: float = 0.18215

    def setup(self):
        widths = tuple(width * self.channels for width in self.widths)
        self.encoder = _Encoder(widths, self.blocks, 2 * self.latent)
        self.decoder = _Decoder(widths[::-1], self.blocks + 1, self.colors, self.latent)

    def posterior(
        self, x: Float[Array, "b f H W C"]
    ) -> tuple[Float[Array, "b f h w c"], Float[Array, "b f h w c"]]:
        """The mean and the log-variance of q(z | x), not scaled."""
        mean, logvar = jnp.split(self.encoder(x), 2, axis=-1)
        return mean, jnp.clip(logvar, -30.0, 20.0)

    def encode(
        self, x: Float[Array, "b f H W C"], key: PRNGKeyArray | None = None
    ) -> Float[Array, "b f h w c"]:
        """Latents of unit variance: a sample of q(z | x), or its mean without a key."""
        z, logvar = self.posterior(x)
        if key is not None:
            z = z + jnp.exp(0.5 * logvar) * jax.random.normal(key, z.shape, z.dtype)
        return z * self.scale

    def decode(self, z: Float[Array, "b f h w c"]) -> Float[Array, "b f H W C"]:
        """The frames of latents of `encode`."""
        return self.decoder(z / self.scale)

    def __call__(self, x: Float[Array, "b f H W C"]) -> Float[Array, "b f H W C"]:
        """Frames encoded and decoded."""
        return self.decode(self.encode(x))


class _Encoder(nn.Module):
    widths: tuple[int, ...]
    blocks: int
    outputs: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        h = convolution(self.widths[0], name="input")(x)
        for i, width in enumerate(self.widths):
            for j in range(self.blocks):
                h = AdditiveBlock(width, epsilon=EPSILON, name=f"block_{i}_{j}")(h)
            if i + 1 < len(self.widths):
                h = DownsampleConv(before=0, name=f"halving_{i}")(h)
        h = _Middle(name="middle")(h)
        h = convolution(self.outputs, name="output")(_activated_norm(h))
        return dense(self.outputs, name="moments")(h)


class _Decoder(nn.Module):
    widths: tuple[int, ...]
    blocks: int
    outputs: int
    latent: int

    @nn.compact
    def __call__(self, z: Array) -> Array:
        h = dense(self.latent, name="latents")(z)
        h = _Middle(name="middle")(convolution(self.widths[0], name="input")(h))
        for i, width in enumerate(self.widths):
            for j in range(self.blocks):
                h = AdditiveBlock(width, epsilon=EPSILON, name=f"block_{i}_{j}")(h)
            if i + 1 < len(self.widths):
                h = UpsampleConv(name=f"doubling_{i}")(h)
        return convolution(self.outputs, name="output")(_activated_norm(h))


class _Middle(nn.Module):
    """A residual block, spatial attention with one head, a residual block."""

    @nn.compact
    def __call__(self, h: Array) -> Array:
        channels = h.shape[-1]
        h = AdditiveBlock(channels, epsilon=EPSILON, name="block_0")(h)
        normed = GroupNorm(epsilon=EPSILON, name="norm")(h)
        q, k, v = projections(1, channels, 3, name="qkv")(flatten_space(normed))
        out = dense(channels, gain=0.0, name="out")(spatial_attention(q, k, v))
        h = h + unflatten_space(out, h.shape[2])
        return AdditiveBlock(channels, epsilon=EPSILON, name="block_1")(h)


def _activated_norm(h: Array) -> Array:
    return nn.swish(GroupNorm(epsilon=EPSILON, name="output_norm")(h))
