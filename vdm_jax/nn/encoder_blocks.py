"""A block of an encoder: attention among all tokens and a feed-forward layer, each after a norm."""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from einops import rearrange
from jaxtyping import Array, Bool, Float

from vdm_jax.nn.activations import GELU, Activation
from vdm_jax.nn.attention import attend
from vdm_jax.nn.linear import dense


class EncoderBlock(nn.Module):
    """`h + attention(norm(h))`, then `h + outer(activation(inner(norm(h))))`.

    Tokens attend to tokens where the mask allows, or to all of them.
    (Dosovitskiy et al. 2020, eq. 2 and 3; Radford et al. 2019, section 2.3)

    inner: features inside the feed-forward layer, four times those outside where none are named.
    qkv: makes the layer of that name, which gives queries, keys and values at once.
    """

    heads: int
    activation: Activation = GELU()
    inner: int | None = None
    epsilon: float = 1e-5
    qkv: Callable[..., nn.Module] = dense

    @nn.compact
    def __call__(
        self, h: Float[Array, "b l d"], mask: Bool[Array, "#b #k l l"] | None = None
    ) -> Float[Array, "b l d"]:
        features = h.shape[-1]
        if features % self.heads:
            raise ValueError(f"{features} features cannot be divided among {self.heads} heads")
        qkv = self.qkv(3 * features, name="qkv")(layer_norm("norm_0", self.epsilon)(h))
        q, key, value = rearrange(qkv, "b l (s k d) -> s b k l d", s=3, k=self.heads)
        out = rearrange(attend(q, key, value, mask), "b k l d -> b l (k d)")
        h = h + dense(features, name="out")(out)
        normed = layer_norm("norm_1", self.epsilon)(h)
        inner = dense(self.inner or 4 * features, name="inner")(normed)
        return h + dense(features, name="outer")(self.activation(inner))


class KeysWithoutBias(nn.Module):
    """A linear map to queries, keys and values, of which the keys have no bias.

    Softmax does not see one: it adds the same to all scores of a query. (Bao et al. 2021)
    """

    features: int

    @nn.compact
    def __call__(self, h: Float[Array, "*n d"]) -> Float[Array, "*n e"]:
        width = self.features // 3
        q, value = (
            self.param(name, nn.initializers.zeros, (width,)) for name in ("q_bias", "value_bias")
        )
        bias = jnp.concatenate([q, jnp.zeros_like(q), value]).astype(h.dtype)
        y = dense(self.features, bias=False, name="all")(h)
        return y + bias.reshape((1,) * (y.ndim - 1) + bias.shape)


def layer_norm(name: str, epsilon: float = 1e-5) -> nn.LayerNorm:
    """Normalisation of a token over its features, the variance computed about the mean."""
    return nn.LayerNorm(epsilon, use_fast_variance=False, name=name)
