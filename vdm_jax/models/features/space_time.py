"""3D convolutions and pools, computed as 2D convolutions.

A kernel over k frames is a 2D kernel over a frame with the channels of all k frames. On a CPU that
is 6 times as fast as XLA's 3D convolution for I3D's first layer and 1.5 times as fast for the
others. Padding is TensorFlow's SAME: ceil(n / stride) outputs, odd padding at the end.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.lax import Precision
from jaxtyping import Array, Float

EXACT = Precision.HIGHEST
"""Float32 products on every device: bfloat16, a TPU's default, changes the features."""


def convolve(
    x: Float[Array, "b f h w c"], kernel: Float[Array, "k i j c d"], stride: int = 1
) -> Float[Array, "b g u v d"]:
    """A convolution over f, h and w with SAME padding and one stride for all axes."""
    if kernel.shape[:3] == (1, 1, 1) and stride == 1:
        return jnp.matmul(x, kernel[0, 0, 0], precision=EXACT)
    frames = jnp.concatenate(_windows(x, 1, kernel.shape[0], stride, 0.0), axis=-1)
    folded = jnp.moveaxis(kernel, 0, 2).reshape(*kernel.shape[1:3], -1, kernel.shape[-1])
    out = jax.lax.conv_general_dilated(
        frames.reshape(-1, *frames.shape[2:]),
        folded,
        (stride, stride),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=EXACT,
    )
    return out.reshape(len(x), -1, *out.shape[1:])


def max_pool(
    x: Float[Array, "b f h w c"], window: tuple[int, int, int], strides: tuple[int, int, int]
) -> Float[Array, "b g u v c"]:
    """The maximum of each window with SAME padding, axis by axis."""
    for axis, (side, stride) in enumerate(zip(window, strides, strict=True), start=1):
        first, *others = _windows(x, axis, side, stride, -jnp.inf)
        x = first
        for other in others:
            x = jnp.maximum(x, other)
    return x


def average_pool(
    x: Float[Array, "b f h w c"], window: tuple[int, int, int]
) -> Float[Array, "b g u v c"]:
    """The mean of each complete window, with stride 1."""
    return nn.avg_pool(x, window, (1, 1, 1), "VALID")


def _windows(x: Array, axis: int, side: int, stride: int, fill: float) -> list[Array]:
    """For each position in a window, the elements of all windows along an axis."""
    length = x.shape[axis]
    outputs = -(-length // stride)
    padding = max((outputs - 1) * stride + side - length, 0)
    around = [(0, 0)] * x.ndim
    around[axis] = (padding // 2, padding - padding // 2)
    if padding:
        x = jnp.pad(x, around, constant_values=fill)
    span = (outputs - 1) * stride + 1
    return [jax.lax.slice_in_dim(x, start, start + span, stride, axis) for start in range(side)]
