"""Linear maps: of the channels of every token, and of a token's neighbours in its frame."""

import flax.linen as nn
import jax
from jaxtyping import Array, Float


def dense(features: int, *, gain: float = 1.0, bias: bool = True, name: str | None = None):
    """A linear map of the last axis, whose output starts with `gain` times its input's variance."""
    return nn.Dense(
        features, use_bias=bias, kernel_init=_scaled(gain), dot_general=_tokens_dot, name=name
    )


def convolution(
    features: int,
    kernel: int = 3,
    *,
    stride: tuple[int, int] = (1, 1),
    gain: float = 1.0,
    name: str | None = None,
):
    """A spatial convolution; frames are batch, so no weight mixes them (1 x k x k)."""
    return nn.Conv(
        features,
        (kernel, kernel),
        stride,
        kernel_init=_scaled(gain),
        conv_general_dilated=_frames_conv,
        name=name,
    )


def _frames_conv(
    x: Float[Array, "n h w c"],
    kernel: Float[Array, "k k c d"],
    strides,
    padding,
    *,
    precision=None,
    **how,
) -> Float[Array, "n h w d"]:
    """A convolution with "SAME" padding; whatever else flax asks of it is the default.

    XLA's CPU backend has a fast convolution for kernels in this order of axes only. The gradient of
    x that jax derives has them in another, and inside a loop, such as a sampler's, it is not put
    right: there it takes 4 to 10 times as long as the one below.
    """
    if padding != "SAME" or kernel.shape[0] % 2 == 0:
        raise ValueError(
            f"convolutions have odd kernels and 'SAME' padding, not a kernel of "
            f"{kernel.shape[:2]} and {padding}"
        )
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
    turned = kernel[::-1, ::-1].swapaxes(2, 3)
    _, pull = jax.vjp(lambda kernel: _plain(x, kernel, precision), kernel)
    return _convolve(gradient, turned, precision), *pull(gradient)


_convolve.defvjp(_forward, _backward)


def _tokens_dot(
    x: Float[Array, "*n c"], kernel: Float[Array, "c d"], dimensions, precision=None
) -> Float[Array, "*n d"]:
    """`x kernel` over one axis of tokens.

    XLA's CPU backend transposes x before the gradient of the kernel if it sums over several axes,
    which takes four times as long as the product itself.
    """
    y = jax.lax.dot(x.reshape(-1, x.shape[-1]), kernel, precision=precision)
    return y.reshape(*x.shape[:-1], y.shape[-1])


def _scaled(gain: float) -> nn.initializers.Initializer:
    """Kernels that multiply the variance by `gain`; zeros for 0. (LeCun et al. 1998)"""
    if not gain:
        return nn.initializers.zeros
    return nn.initializers.variance_scaling(gain, "fan_in", "truncated_normal")
