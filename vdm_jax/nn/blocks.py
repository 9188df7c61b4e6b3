"""Residual blocks and changes of resolution; every frame by itself."""

import dataclasses
from typing import Protocol, runtime_checkable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdm_jax.nn.linear import Conv, Projections, convolution, dense
from vdm_jax.nn.norms import GroupNorm
from vdm_jax.nn.sharding import constrain

Stride = tuple[int, int, int]
"""The numbers of frames, rows and columns of pixels that become one."""


def average_pool(h: Float[Array, "b f h w c"], stride: Stride) -> Array:
    """The mean over blocks of `stride` frames, rows and columns.

    Raises:
      ValueError: a size that `stride` does not divide.
    """
    for axis, s in enumerate(stride, start=1):
        if h.shape[axis] % s:
            raise ValueError(
                f"a feature map of {h.shape[1:4]} (frames, height, width) does not divide by the "
                f"level's stride {stride}; choose a size divisible by the product of all strides"
            )
    b, f, height, width, c = h.shape
    (sf, sh, sw) = stride
    blocks = h.reshape(b, f // sf, sf, height // sh, sh, width // sw, sw, c)
    return blocks.mean(axis=(2, 4, 6))


def nearest_upsample(h: Float[Array, "b f h w c"], stride: Stride) -> Array:
    """Every element repeated `stride` times along frames, rows and columns (nearest)."""
    b, f, height, width, c = h.shape
    (sf, sh, sw) = stride
    h = h[:, :, None, :, None, :, None]
    h = jnp.broadcast_to(h, (b, f, sf, height, sh, width, sw, c))
    return h.reshape(b, f * sf, height * sh, width * sw, c)


@runtime_checkable
class Resample(Protocol):
    """A change of resolution inside a residual block; a call changes the skip connection."""

    @property
    def times(self) -> tuple[int, int]:
        """How often the branch's first convolution repeats rows and columns."""
        ...

    def before(self, a: Float[Array, "b f h w c"]) -> Array:
        """The input of the branch's first convolution."""
        ...

    def __call__(self, h: Float[Array, "b f h w c"]) -> Array: ...


@dataclasses.dataclass(frozen=True)
class Downsample:
    """`average_pool`, in the branch before its first convolution."""

    stride: Stride

    @property
    def times(self) -> tuple[int, int]:
        return (1, 1)

    def before(self, a: Array) -> Array:
        return self(a)

    def __call__(self, h: Array) -> Array:
        return average_pool(h, self.stride)


@dataclasses.dataclass(frozen=True)
class Upsample:
    """`nearest_upsample`, in the branch fused with its first convolution."""

    stride: Stride

    @property
    def times(self) -> tuple[int, int]:
        return self.stride[1:]

    def before(self, a: Array) -> Array:
        return nearest_upsample(a, (self.stride[0], 1, 1))

    def __call__(self, h: Array) -> Array:
        return nearest_upsample(h, self.stride)


class ResBlock(nn.Module):
    """Norm, swish, convolution, twice, with the embedding as scale and shift of the second norm.

    (Ho et al. 2022, section 3; Salimans & Ho 2022, reference U-Net)

    channels: those of the output.
    dropout: rate before the second convolution.
    resample: changes the resolution inside the block, of the branch and of the skip alike.
    """

    channels: int
    dropout: float = 0.0
    resample: Resample | None = None

    @nn.compact
    def __call__(
        self,
        h: Float[Array, "b f h w c"],
        emb: Float[Array, "b #f d"],
        *,
        train: bool = False,
    ) -> Array:
        a, times, resample = nn.swish(GroupNorm(name="norm_0")(h)), (1, 1), self.resample
        if resample is not None:  # constrained, so that `SaveConvolutions` recomputes no further
            a, times, h = constrain(resample.before(a), "b f h w c"), resample.times, resample(h)
        a = convolution(self.channels, times=times, axes="c e", name="convolution_0")(a)
        modulation = Projections(2, (self.channels,), "e", name="modulation")
        scale, shift = modulation(nn.swish(emb))
        a = nn.swish(GroupNorm(name="norm_1")(a, (scale, shift)))
        a = nn.Dropout(self.dropout, deterministic=not train)(a)
        a = convolution(self.channels, gain=0.0, axes="e c", name="convolution_1")(a)
        if h.shape[-1] != self.channels:
            h = dense(self.channels, name="skip")(h)
        return constrain(h + a, "b f h w c")


class AdditiveBlock(nn.Module):
    """Norm, swish, convolution, twice, with the embedding, if there is one, added between them.

    (Ho et al. 2020, appendix B; Rombach et al. 2022, appendix E)

    channels: those of the output.
    dropout: rate before the second convolution.
    epsilon: that of both norms.
    """

    channels: int
    dropout: float = 0.0
    epsilon: float = 1e-5

    @nn.compact
    def __call__(
        self,
        h: Float[Array, "b f h w c"],
        emb: Float[Array, "b #f d"] | None = None,
        *,
        train: bool = False,
    ) -> Array:
        a = nn.swish(GroupNorm(epsilon=self.epsilon, name="norm_0")(h))
        a = convolution(self.channels, axes="c e", name="convolution_0")(a)
        if emb is not None:
            a = a + dense(self.channels, axes="c e", name="shift")(nn.swish(emb))[:, :, None, None]
        a = nn.swish(GroupNorm(epsilon=self.epsilon, name="norm_1")(a))
        a = nn.Dropout(self.dropout, deterministic=not train)(a)
        a = convolution(self.channels, gain=0.0, axes="e c", name="convolution_1")(a)
        if h.shape[-1] != self.channels:
            h = dense(self.channels, name="skip")(h)
        return constrain(h + a, "b f h w c")


class DownsampleConv(nn.Module):
    """A 3x3 convolution with stride 2, padded by one row and one column of zeros.

    before: 1: the zeros come before the first row and column; 0: after the last.
    """

    before: int = 1

    @nn.compact
    def __call__(self, h: Float[Array, "b f h w c"]) -> Array:
        if h.shape[2] % 2 or h.shape[3] % 2:
            raise ValueError(
                f"a feature map of {h.shape[2]}x{h.shape[3]} cannot be halved; choose a size "
                "divisible by 2 to the number of levels below the first"
            )
        zeros = (self.before, 1 - self.before)
        return Conv(h.shape[-1], (3, 3), strides=2, padding=(zeros, zeros))(h)


class UpsampleConv(nn.Module):
    """Nearest upsampling by 2 in rows and columns, fused with a 3x3 convolution."""

    @nn.compact
    def __call__(self, h: Float[Array, "b f h w c"]) -> Array:
        return convolution(h.shape[-1], times=(2, 2))(h)


def space_to_depth(z: Float[Array, "b f h w c"], patch: int) -> jax.Array:
    """Squares of `patch x patch` pixels as channels."""
    b, f, height, width, c = z.shape
    z = z.reshape(b, f, height // patch, patch, width // patch, patch, c)
    return z.transpose(0, 1, 2, 4, 3, 5, 6).reshape(
        b, f, height // patch, width // patch, patch * patch * c
    )


def depth_to_space(z: Float[Array, "b f h w c"], patch: int) -> jax.Array:
    """The inverse of `space_to_depth`."""
    b, f, height, width, c = z.shape
    z = z.reshape(b, f, height, width, patch, patch, c // patch**2)
    return z.transpose(0, 1, 2, 4, 3, 5, 6).reshape(
        b, f, height * patch, width * patch, c // patch**2
    )
