"""Dense layers and spatial convolutions, with gradients that are fast on CPU and TPU."""

import math
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float

from vdm_jax.nn.remat import CONVOLVED
from vdm_jax.nn.sharding import constrain, current_rules, fold_frames, gather, unfold_frames


def dense(
    features: int,
    *,
    gain: float = 1.0,
    bias: bool = True,
    axes: str = "c c",
    name: str | None = None,
):
    """A linear map of the last axis.

    gain: the variance of the output, relative to the input's, at initialisation.
    axes: names of the input's and the output's features (see `nn.sharding`).
    """
    dot = partial(_tokens_dot, axes=axes)
    return nn.Dense(features, use_bias=bias, kernel_init=_scaled(gain), dot_general=dot, name=name)


class Projections(nn.Module):
    """Several linear maps of the same tokens in one kernel: a tuple of `h W_i + b_i`.

    The parameters are those of one `dense` with the features of all maps, in order.

    count: the number of maps.
    features: the axes of an output in place of the input's last one.
    axes: the names of these axes (see `nn.sharding`).
    bias: whether there is one.
    gain: as in `dense`.
    """

    count: int
    features: tuple[int, ...]
    axes: str
    bias: bool = True
    gain: float = 1.0

    @nn.compact
    def __call__(self, h: Float[Array, "*n c"]) -> tuple[Array, ...]:
        shape, width = (self.count, *self.features), self.count * math.prod(self.features)
        kernel = self.param("kernel", _scaled(self.gain), (h.shape[-1], width))
        bias = self.param("bias", nn.initializers.zeros, (width,)) if self.bias else None
        h, kernel, bias = promote_dtype(h, kernel, bias)
        # Sharding the features of every map alike is no sharding of the joint kernel's last axis.
        # One product per map, since the gradients of a joint product would have to be concatenated.
        if current_rules():
            kernel = gather(kernel.reshape(-1, *shape), f"c _ {self.axes}")
            contracted = (((h.ndim - 1,), (0,)), ((), ()))
            outputs = [jax.lax.dot_general(h, kernel[:, i], contracted) for i in range(self.count)]
        else:
            y = _tokens_dot(h, kernel, None)
            split = jnp.split(y, self.count, axis=-1)
            outputs = [x.reshape(*h.shape[:-1], *self.features) for x in split]
        if bias is not None:
            biases = bias.reshape(self.count, *(1,) * (h.ndim - 1), *self.features)
            outputs = [x + b for x, b in zip(outputs, biases, strict=True)]
        return tuple(outputs)


def convolution(
    features: int,
    kernel: int = 3,
    *,
    stride: tuple[int, int] = (1, 1),
    times: tuple[int, int] = (1, 1),
    gain: float = 1.0,
    axes: str = "c c",
    name: str | None = None,
):
    """A spatial convolution `1 x k x k` of every frame, with "SAME" padding.

    times: nearest upsampling of rows and columns before the convolution, fused with it.
    gain: the variance of the output, relative to the input's, at initialisation.
    axes: names of the input's and the output's channels (see `nn.sharding`).

    Raises:
      ValueError: both `stride` and `times` change the size.
    """
    if set(stride) != {1} != set(times):
        raise ValueError(f"a convolution has a stride of {stride} or repeats {times}, not both")
    return Conv(
        features,
        (kernel, kernel),
        stride,
        kernel_init=_scaled(gain),
        conv_general_dilated=partial(_frames_conv, axes=axes, times=times),
        output=axes.split()[1],
        name=name,
    )


class Conv(nn.Conv):
    """Flax's convolution of images `n h w c`, or of every frame of clips `b f h w c`.

    output: the name of the output's channels.
    """

    output: str = "c"

    def __call__(self, inputs: Float[Array, "*n h w c"]) -> Float[Array, "*n _ _ d"]:
        if inputs.ndim != 5:
            return super().__call__(inputs)
        out = checkpoint_name(super().__call__(fold_frames(inputs)), CONVOLVED)
        return constrain(unfold_frames(out, inputs.shape[0]), f"b f h w {self.output}")


def _frames_conv(
    x: Float[Array, "n h w c"],
    kernel: Float[Array, "k k c d"],
    strides,
    padding,
    *,
    axes: str,
    times: tuple[int, int],
    precision=None,
    **how,
) -> Float[Array, "n _ _ d"]:
    """A convolution with "SAME" padding and a gradient of its own, for `nn.Conv`.

    XLA's CPU backend has a fast convolution only for kernels in this order of axes. The gradient of
    x that jax derives has another order, which XLA does not transpose inside a loop such as a
    sampler's: there it takes 4 to 10 times as long as the gradient below.
    """
    if padding != "SAME" or kernel.shape[0] % 2 == 0:
        raise ValueError(
            f"convolutions have odd kernels and 'SAME' padding, not a kernel of "
            f"{kernel.shape[:2]} and {padding}"
        )
    kernel = gather(kernel, f"_ _ {axes}")
    if set(times) != {1}:
        return _upsampling(x, _spread_kernel(kernel, times), precision, times)
    if set(strides) != {1}:
        return _strided(x, kernel, precision, strides)
    return _convolve(x, kernel, precision)


def _strided(x, kernel, precision, strides):
    return jax.lax.conv_general_dilated(
        x, kernel, strides, "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), precision=precision
    )


def _plain(x, kernel, precision):
    return _strided(x, kernel, precision, (1, 1))


_convolve = jax.custom_vjp(_plain, nondiff_argnums=(2,))


def _forward(x, kernel, precision):
    return _convolve(x, kernel, precision), (x, kernel)


def _backward(precision, saved, gradient):
    x, kernel = saved
    _, kernel_vjp = jax.vjp(lambda kernel: _plain(x, kernel, precision), kernel)
    return _convolve(gradient, _transposed(kernel), precision), *kernel_vjp(gradient)


_convolve.defvjp(_forward, _backward)


def _transposed(kernel: Float[Array, "h w c d"]) -> Float[Array, "h w d c"]:
    """The kernel of the transposed convolution."""
    return kernel[::-1, ::-1].swapaxes(2, 3)


def _spread_kernel(
    kernel: Float[Array, "k k c d"], times: tuple[int, int]
) -> Float[Array, "_ _ c d"]:
    """The kernel for pixels with `times - 1` zeros between them, equal to `kernel` on repeats.

    A pixel repeated s times is a pixel among zeros, convolved with s ones: convolve `kernel` with
    these ones instead.
    """
    for axis, s in enumerate(times):
        sides = [[(i, s - 1 - i) if a == axis else (0, 0) for a in range(4)] for i in range(s)]
        kernel = jnp.stack([jnp.pad(kernel, side) for side in sides]).sum(axis=0)
    return kernel


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _upsampling(x, kernel, precision, times):
    """A transposed convolution; for times of 2 it has 4 taps per pixel, 3x3 on repeats has 9."""
    return jax.lax.conv_transpose(
        x, kernel, times, "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), precision=precision
    )


def _upsampling_forward(x, kernel, precision, times):
    return _upsampling(x, kernel, precision, times), (x, kernel)


def _upsampling_backward(precision, times, saved, gradient):
    """By the strided convolution whose transpose it is: only kernels are transposed."""
    x, kernel = saved
    strided = partial(_strided, gradient, precision=precision, strides=times)
    d_x, kernel_vjp = jax.vjp(strided, _transposed(kernel))
    return d_x, _transposed(*kernel_vjp(x))


_upsampling.defvjp(_upsampling_forward, _upsampling_backward)


def _tokens_dot(
    x: Float[Array, "*n c"],
    kernel: Float[Array, "c d"],
    dimensions,
    precision=None,
    *,
    axes: str = "c c",
) -> Float[Array, "*n d"]:
    """`x kernel`, with all token axes flattened into one unless they are sharded.

    XLA's CPU backend transposes x before the gradient of the kernel if it sums over several axes,
    which takes four times as long as the product itself. Sharded axes stay separate: the flattened
    axis could not keep their sharding without communication.
    """
    if current_rules():
        contracted = (((x.ndim - 1,), (0,)), ((), ()))
        return jax.lax.dot_general(x, gather(kernel, axes), contracted, precision=precision)
    y = jax.lax.dot(x.reshape(-1, x.shape[-1]), kernel, precision=precision)
    return y.reshape(*x.shape[:-1], y.shape[-1])


def _scaled(gain: float) -> nn.initializers.Initializer:
    """Initial kernels that multiply the variance by `gain`; 0: zeros. (LeCun et al. 1998)"""
    if not gain:
        return nn.initializers.zeros
    return nn.initializers.variance_scaling(gain, "fan_in", "truncated_normal")
