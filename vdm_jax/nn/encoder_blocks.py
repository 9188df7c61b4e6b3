"""Pre-norm transformer blocks of encoders."""

import math
from collections.abc import Callable

import flax.linen as nn
from einops import rearrange
from jaxtyping import Array, Bool, Float

from vdm_jax.nn.activations import GELU, Activation
from vdm_jax.nn.attention import attend
from vdm_jax.nn.linear import Projections, dense
from vdm_jax.nn.sharding import constrain


class EncoderBlock(nn.Module):
    """`h + attention(norm(h))`, then `h + outer(activation(inner(norm(h))))`.

    (Dosovitskiy et al. 2020, eq. 2 and 3; Radford et al. 2019, section 2.3)

    heads: of the attention, which divide the features.
    activation: of the feed-forward layer.
    inner: features inside the feed-forward layer; None: four times those outside.
    epsilon: that of both norms.
    qkv: the class of the layer of queries, keys and values, with the signature of `Projections`.
    """

    heads: int
    activation: Activation = GELU()
    inner: int | None = None
    epsilon: float = 1e-5
    qkv: Callable[..., nn.Module] = Projections

    @nn.compact
    def __call__(
        self, h: Float[Array, "b l d"], mask: Bool[Array, "#b #k l l"] | None = None
    ) -> Float[Array, "b l d"]:
        features = h.shape[-1]
        if features % self.heads:
            raise ValueError(f"{features} features cannot be divided among {self.heads} heads")
        qkv = self.qkv(3, (self.heads, features // self.heads), "k _", name="qkv")
        q, k, v = (
            constrain(rearrange(x, "b l k d -> b k l d"), "b k l _")
            for x in qkv(layer_norm("norm_0", self.epsilon)(h))
        )
        out = rearrange(constrain(attend(q, k, v, mask), "b k l _"), "b k l d -> b l (k d)")
        h = constrain(h + dense(features, axes="k d", name="out")(out), "b l d")
        normed = layer_norm("norm_1", self.epsilon)(h)
        inner = dense(self.inner or 4 * features, axes="d e", name="inner")(normed)
        inner = constrain(self.activation(inner), "b l e")
        return constrain(h + dense(features, axes="e d", name="outer")(inner), "b l d")


class KeysWithoutBias(nn.Module):
    """`Projections` to queries, keys and values; the keys have no bias. (Bao et al. 2021)

    It would add the same to all scores of a query, which softmax ignores.
    """

    count: int
    features: tuple[int, int]
    axes: str

    @nn.compact
    def __call__(self, h: Float[Array, "b l c"]) -> tuple[Float[Array, "b l k d"], ...]:
        q, k, v = Projections(self.count, self.features, self.axes, bias=False, name="all")(h)
        biases = (
            self.param(name, nn.initializers.zeros, (math.prod(self.features),))
            for name in ("q_bias", "value_bias")
        )
        q_bias, v_bias = (b.astype(h.dtype).reshape(1, 1, *self.features) for b in biases)
        return q + q_bias, k, v + v_bias


def layer_norm(name: str, epsilon: float = 1e-5) -> nn.LayerNorm:
    """Normalisation of a token over its features, the variance computed about the mean."""
    return nn.LayerNorm(epsilon, use_fast_variance=False, name=name)
