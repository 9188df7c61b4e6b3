"""Linear maps: of the channels of every token, and of a token's neighbours in its frame."""

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
    """A linear map of the last axis, whose output starts with `gain` times its input's variance.

    axes: names of the input's and the output's features; between heads and wide layers, `k`, `e`.
    """
    dot = partial(_tokens_dot, axes=axes)
    return nn.Dense(features, use_bias=bias, kernel_init=_scaled(gain), dot_general=dot, name=name)


class Projections(nn.Module):
    """Several linear maps of the same tokens, side by side in one kernel: `h W_i + b_i` for each.

    Parameters are those of one `dense` of all their features, in order; a result has the axes
    `features` in place of the last one. axes: their names.
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
        # Parts that are split alike are no split of the whole. Products are one by one, for their
        # gradients would have to be put side by side.
        if current_rules():
            kernel = gather(kernel.reshape(-1, *shape), f"c _ {self.axes}")
            contracted = (((h.ndim - 1,), (0,)), ((), ()))
            found = [jax.lax.dot_general(h, kernel[:, i], contracted) for i in range(self.count)]
        else:
            y = _tokens_dot(h, kernel, None)
            split = jnp.split(y, self.count, axis=-1)
            found = [part.reshape(*h.shape[:-1], *self.features) for part in split]
        if bias is not None:
            each = bias.reshape(self.count, *(1,) * (h.ndim - 1), *self.features)
            found = [part + own for part, own in zip(found, each, strict=True)]
        return tuple(found)


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
    """A spatial convolution; frames are batch, so no weight mixes them (1 x k x k).

    times: how often each row and column of the input is repeated before; without a stride.
    axes: names of the input's and the output's channels, `e` for those inside a block.

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
    """Flax's convolution of pictures `n h w c`, or of every frame of clips `b f h w c`.

    output: the name of the output's channels.
    """

    output: str = "c"

    def __call__(self, inputs: Float[Array, "*n h w c"]) -> Float[Array, "*n h w d"]:
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
    kernel = gather(kernel, f"_ _ {axes}")
    if set(times) != {1}:
        return _enlarged(x, _spread(kernel, times), precision, times)
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
    _, pull = jax.vjp(lambda kernel: _plain(x, kernel, precision), kernel)
    return _convolve(gradient, _turned(kernel), precision), *pull(gradient)


_convolve.defvjp(_forward, _backward)


def _turned(kernel: Float[Array, "h w c d"]) -> Float[Array, "h w d c"]:
    """The kernel by which a gradient goes back."""
    return kernel[::-1, ::-1].swapaxes(2, 3)


def _spread(kernel: Float[Array, "k k c d"], times: tuple[int, int]) -> Float[Array, "_ _ c d"]:
    """The kernel that reads pixels with `times - 1` zeros between them as `kernel` reads repeats.

    A pixel repeated s times is one among zeros, convolved with s ones; so are the kernel's taps.
    """
    for axis, s in enumerate(times):
        sides = [[(i, s - 1 - i) if a == axis else (0, 0) for a in range(4)] for i in range(s)]
        kernel = jnp.stack([jnp.pad(kernel, side) for side in sides]).sum(axis=0)
    return kernel


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _enlarged(x, kernel, precision, times):
    """A transposed convolution; for repeats of 2 it has 4 taps a pixel where theirs has 9."""
    return jax.lax.conv_transpose(
        x, kernel, times, "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), precision=precision
    )


def _enlarged_forward(x, kernel, precision, times):
    return _enlarged(x, kernel, precision, times), (x, kernel)


def _enlarged_backward(precision, times, saved, gradient):
    """By the strided convolution of which it is the transpose: kernels turn, pictures do not."""
    x, kernel = saved
    shrunk = partial(_strided, gradient, precision=precision, strides=times)
    found, pull = jax.vjp(shrunk, _turned(kernel))
    return found, _turned(*pull(x))


_enlarged.defvjp(_enlarged_forward, _enlarged_backward)


def _tokens_dot(
    x: Float[Array, "*n c"],
    kernel: Float[Array, "c d"],
    dimensions,
    precision=None,
    *,
    axes: str = "c c",
) -> Float[Array, "*n d"]:
    """`x kernel` over one axis of tokens.

    XLA's CPU backend transposes x before the gradient of the kernel if it sums over several axes,
    which takes four times as long as the product itself. Axes that are split over devices stay
    apart, for as one they could not be split without moving them.
    """
    if current_rules():
        contracted = (((x.ndim - 1,), (0,)), ((), ()))
        return jax.lax.dot_general(x, gather(kernel, axes), contracted, precision=precision)
    y = jax.lax.dot(x.reshape(-1, x.shape[-1]), kernel, precision=precision)
    return y.reshape(*x.shape[:-1], y.shape[-1])


def _scaled(gain: float) -> nn.initializers.Initializer:
    """Kernels that multiply the variance by `gain`; zeros for 0. (LeCun et al. 1998)"""
    if not gain:
        return nn.initializers.zeros
    return nn.initializers.variance_scaling(gain, "fan_in", "truncated_normal")
