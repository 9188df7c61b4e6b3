"""Linear maps: of the channels of every token, and of a token's neighbours in its frame."""

import flax.linen as nn
import jax
from jaxtyping import Array, Float


def dense(features: int, *, zero: bool = False, bias: bool = True, name: str | None = None):
    """A linear map of the last axis; one that starts at zero if `zero`."""
    init = nn.initializers.zeros if zero else nn.initializers.lecun_normal()
    return nn.Dense(features, use_bias=bias, kernel_init=init, dot_general=_tokens_dot, name=name)


def convolution(features: int, kernel: int = 3, *, zero: bool = False, name: str | None = None):
    """A spatial convolution; frames are batch, so no weight mixes them (1 x k x k)."""
    init = nn.initializers.zeros if zero else nn.initializers.lecun_normal()
    return nn.Conv(features, (kernel, kernel), kernel_init=init, name=name)


def _tokens_dot(
    x: Float[Array, "*n c"], kernel: Float[Array, "c d"], dimensions, precision=None
) -> Float[Array, "*n d"]:
    """`x kernel` over one axis of tokens.

    XLA's CPU backend transposes x before the gradient of the kernel if it sums over several axes,
    which takes four times as long as the product itself.
    """
    y = jax.lax.dot(x.reshape(-1, x.shape[-1]), kernel, precision=precision)
    return y.reshape(*x.shape[:-1], y.shape[-1])
