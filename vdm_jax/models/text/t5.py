"""T5's encoder: a transformer with relative positions from tokens to embeddings.

(Raffel et al. 2020, arXiv 1910.10683; version 1.1 has gated feed-forward layers, Shazeer 2020)
"""

import flax.linen as nn
from einops import rearrange
from jaxtyping import Array, Bool, Float, Int

from vdm_jax.config import nearest
from vdm_jax.nn import (
    Activation,
    BucketedPositions,
    Projections,
    ReLU,
    RMSNorm,
    TanhGELU,
    attend,
    constrain,
    dense,
)

# features, inner, layers, heads, head_dim of every published size
ORIGINAL = {
    "small": (512, 2048, 6, 8, 64),
    "base": (768, 3072, 12, 12, 64),
    "large": (1024, 4096, 24, 16, 64),
    "3b": (1024, 16384, 24, 32, 128),
    "11b": (1024, 65536, 24, 128, 128),
}
V1_1 = {
    "small": (512, 1024, 8, 6, 64),
    "base": (768, 2048, 12, 12, 64),
    "large": (1024, 2816, 24, 16, 64),
    "xl": (2048, 5120, 24, 32, 64),
    "xxl": (4096, 10240, 24, 64, 64),
}


class FeedForward(nn.Module):
    """`activation(h W) V`; `inner`: features of `h W`."""

    inner: int
    activation: Activation = ReLU()

    @nn.compact
    def __call__(self, h: Float[Array, "b l d"]) -> Float[Array, "b l d"]:
        inner = self.activation(dense(self.inner, bias=False, axes="d e", name="in")(h))
        inner = constrain(inner, "b l e")
        return dense(h.shape[-1], bias=False, axes="e d", name="out")(inner)


class GatedFeedForward(nn.Module):
    """`(activation(h W) * h U) V`; `inner`: features of `h W`. (Shazeer 2020, eq. 6)"""

    inner: int
    activation: Activation = TanhGELU()

    @nn.compact
    def __call__(self, h: Float[Array, "b l d"]) -> Float[Array, "b l d"]:
        gate, value = Projections(2, (self.inner,), "e", bias=False, name="in")(h)
        inner = constrain(self.activation(gate) * value, "b l e")
        return dense(h.shape[-1], bias=False, axes="e d", name="out")(inner)


class _Block(nn.Module):
    """Self-attention and a feed-forward layer, both residual and pre-norm."""

    heads: int
    head_dim: int
    feed_forward: nn.Module

    @nn.compact
    def __call__(self, h: Array, mask: Array | None, bias: Array) -> Array:
        heads = (self.heads, self.head_dim)
        a = RMSNorm(name="norm_0")(h)
        # Scores are not divided by sqrt(head_dim): instead q starts smaller by this factor.
        q = Projections(1, heads, "k _", bias=False, gain=1 / self.head_dim, name="q")(a)
        kv = Projections(2, heads, "k _", bias=False, name="kv")(a)
        q, k, v = (constrain(rearrange(x, "b l k d -> b k l d"), "b k l _") for x in (*q, *kv))
        out = attend(q, k, v, mask, bias[None], scale=1.0)
        out = rearrange(constrain(out, "b k l _"), "b k l d -> b l (k d)")
        h = constrain(h + dense(h.shape[-1], bias=False, axes="k d", name="out")(out), "b l d")
        feed_forward = self.feed_forward.clone(parent=self, name="feed_forward", _deep_clone=True)
        return constrain(h + feed_forward(RMSNorm(name="norm_1")(h)), "b l d")


class T5(nn.Module):
    """The encoder of a T5, called as `(tokens, mask) -> embeddings`; the mask excludes padding.

    features: of an embedding.
    layers: of the transformer.
    heads: of the attention.
    feed_forward: `GatedFeedForward` in version 1.1, `FeedForward` before.
    head_dim: features of a head.
    vocabulary: 32,000 pieces, 100 sentinels, and 28 unused ids that pad it to a multiple of 128.
    """

    features: int
    layers: int
    heads: int
    feed_forward: nn.Module
    head_dim: int = 64
    vocabulary: int = 32128

    @classmethod
    def original(cls, size: str) -> "T5":
        """The published models t5-small, -base, -large, -3b and -11b."""
        features, inner, layers, heads, head_dim = _sizes(ORIGINAL, size)
        return cls(features, layers, heads, FeedForward(inner), head_dim)

    @classmethod
    def v1_1(cls, size: str) -> "T5":
        """The published models t5-v1_1-small, -base, -large, -xl and -xxl, and those of Flan-T5."""
        features, inner, layers, heads, head_dim = _sizes(V1_1, size)
        return cls(features, layers, heads, GatedFeedForward(inner), head_dim)

    @nn.compact
    def __call__(
        self, tokens: Int[Array, "*b l"], mask: Bool[Array, "*b l"] | None = None
    ) -> Float[Array, "*b l d"]:
        length = tokens.shape[-1]
        texts = tokens.reshape(-1, length)
        unit = nn.initializers.normal(1.0)
        h = nn.Embed(self.vocabulary, self.features, embedding_init=unit, name="words")(texts)
        keys = None if mask is None else mask.reshape(-1, 1, 1, length)
        bias = BucketedPositions(self.heads, name="positions")(length)
        for i in range(self.layers):
            block = _Block(self.heads, self.head_dim, self.feed_forward, name=f"block_{i}")
            h = block(h, keys, bias)
        return RMSNorm(name="norm")(h).reshape(*tokens.shape, self.features)


def _sizes(table: dict[str, tuple], size: str) -> tuple[int, int, int, int, int]:
    if size not in table:
        raise ValueError(f"there is no T5 of size {size!r}; {nearest(size, table)}")
    return table[size]
