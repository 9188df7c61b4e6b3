"""Transformers in a level of a U-Net, and their layers.

`Transformer` and its layers are mixers: residual layers on `b f h w c`. Each layer starts with a
layer norm. (Rombach et al. 2022, appendix E.2.1)
"""

import flax.linen as nn
from jaxtyping import Array, Float

from vdm_jax.nn.activations import GELU, Activation
from vdm_jax.nn.embeddings import Conditions, caption_tokens
from vdm_jax.nn.linear import Projections, dense
from vdm_jax.nn.mixers import (
    cross_attention,
    flatten_space,
    num_heads,
    projections,
    spatial_attention,
    unflatten_space,
)
from vdm_jax.nn.norms import GroupNorm
from vdm_jax.nn.sharding import constrain
from vdm_jax.nn.submodules import as_submodules


class Transformer(nn.Module):
    """`h + out(layers(in(norm(h))))`; `out` starts at zero."""

    layers: tuple[nn.Module, ...]

    @nn.compact
    def __call__(
        self, h: Float[Array, "b f h w c"], emb: Array, cond: Conditions, *, train: bool = False
    ) -> Float[Array, "b f h w c"]:
        a = dense(h.shape[-1], name="in")(GroupNorm(epsilon=1e-6, name="norm")(h))
        for layer in as_submodules(self, self.layers):
            a = layer(a, emb, cond, train=train)
        return h + dense(h.shape[-1], gain=0.0, name="out")(a)


class SelfAttention(nn.Module):
    """Every position of a frame attends to the positions of that frame.

    head_dim: features of a head.
    """

    head_dim: int = 64

    @nn.compact
    def __call__(
        self, h: Float[Array, "b f h w c"], emb: Array, cond: Conditions, *, train: bool = False
    ) -> Float[Array, "b f h w c"]:
        heads = num_heads(h.shape[-1], self.head_dim, "SelfAttention")
        q, k, v = projections(heads, self.head_dim, 3, bias=False, name="qkv")(
            flatten_space(_norm(h))
        )
        out = dense(h.shape[-1], axes="k c", name="out")(spatial_attention(q, k, v))
        return constrain(h + unflatten_space(out, h.shape[2]), "b f h w c")


class CrossAttention(nn.Module):
    """Every position attends to the caption's tokens.

    head_dim: features of a head.
    """

    head_dim: int = 64

    @nn.compact
    def __call__(
        self, h: Float[Array, "b f h w c"], emb: Array, cond: Conditions, *, train: bool = False
    ) -> Float[Array, "b f h w c"]:
        heads = num_heads(h.shape[-1], self.head_dim, "CrossAttention")
        text, mask = caption_tokens(cond, "CrossAttention")
        (q,) = projections(heads, self.head_dim, 1, bias=False, name="q")(flatten_space(_norm(h)))
        k, v = projections(heads, self.head_dim, 2, bias=False, name="kv")(text)
        out = cross_attention(q, k, v, mask, cond.segments)
        out = dense(h.shape[-1], axes="k c", name="out")(out)
        return constrain(h + unflatten_space(out, h.shape[2]), "b f h w c")


class GatedFeedForward(nn.Module):
    """`h + (a * activation(g)) V` with `a, g = norm(h) W`. (Shazeer 2020, eq. 6: GEGLU)

    expansion: the width inside, as a multiple of the channels.
    activation: of the gate g.
    """

    expansion: int = 4
    activation: Activation = GELU()

    @nn.compact
    def __call__(
        self, h: Float[Array, "b f h w c"], emb: Array, cond: Conditions, *, train: bool = False
    ) -> Float[Array, "b f h w c"]:
        inner = Projections(2, (self.expansion * h.shape[-1],), "e", name="in")
        a, gate = inner(_norm(h))
        inner = constrain(a * self.activation(gate), "b f h w e")
        return constrain(h + dense(h.shape[-1], axes="e c", name="out")(inner), "b f h w c")


def _norm(h: Array) -> Array:
    return nn.LayerNorm(1e-5, use_fast_variance=False, name="norm")(h)
