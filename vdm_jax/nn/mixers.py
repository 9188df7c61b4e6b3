"""Layers that mix tokens in a level of a U-Net: over space, over time, or with text.

All have one signature, `(h, emb, cond, train=) -> h`, are residual, and end in a projection that
starts at zero, so that a new mixer changes nothing until it has learnt something.
"""

import flax.linen as nn
import jax.numpy as jnp
from einops import rearrange
from jaxtyping import Array, Float

from vdm_jax.nn.attention import attend, attend_linearly
from vdm_jax.nn.embeddings import Conditions, clips_of_text, per_frame
from vdm_jax.nn.frames import same_clip
from vdm_jax.nn.linear import dense
from vdm_jax.nn.norms import GroupNorm
from vdm_jax.nn.positions import RelativePositions


def heads_of(channels: int, head: int, kind: str) -> int:
    """The number of heads of `head` features each in `channels` channels."""
    if channels % head:
        raise ValueError(f"{kind}: {channels} channels do not divide into heads of {head} features")
    return channels // head


class SpatialAttention(nn.Module):
    """Every position of a frame attends to every position of that frame. (Ho et al. 2022, sec. 3)

    `head` is the number of features of one head.
    """

    head: int = 64

    @nn.compact
    def __call__(
        self, h: Float[Array, "b f h w c"], emb: Array, cond: Conditions, *, train: bool = False
    ) -> Float[Array, "b f h w c"]:
        height, channels = h.shape[2], h.shape[-1]
        heads = heads_of(channels, self.head, type(self).__name__)
        qkv = dense(3 * channels, name="qkv")(GroupNorm(name="norm")(h))
        q, key, value = (
            rearrange(part, "b f h w (k d) -> b (f k) (h w) d", k=heads)
            for part in jnp.split(qkv, 3, axis=-1)
        )
        out = self.read(q, key, value)
        out = rearrange(out, "b (f k) (h w) d -> b f h w (k d)", k=heads, h=height)
        return h + dense(channels, gain=0.0, name="out")(out)

    def read(self, q: Array, key: Array, value: Array) -> Array:
        return attend(q, key, value)


class LinearSpatialAttention(SpatialAttention):
    """Every position of a frame reads a summary of that frame, for levels of many positions."""

    def read(self, q: Array, key: Array, value: Array) -> Array:
        return attend_linearly(q, key, value)


class TemporalAttention(nn.Module):
    """Every position attends to the same position in the other frames of its clip.

    `softmax_j(q_i . (k_j + a_ij) / sqrt(d)) v_j`, with `a_ij` of `RelativePositions`.
    (Ho et al. 2022, section 3; Shaw et al. 2018)
    """

    head: int = 64
    positions: nn.Module | None = RelativePositions()

    @nn.compact
    def __call__(
        self, h: Float[Array, "b f h w c"], emb: Array, cond: Conditions, *, train: bool = False
    ) -> Float[Array, "b f h w c"]:
        frames, height, channels = h.shape[1], h.shape[2], h.shape[-1]
        heads = heads_of(channels, self.head, type(self).__name__)
        qkv = dense(3 * channels, name="qkv")(GroupNorm(name="norm")(h))
        q, key, value = (
            rearrange(part, "b f h w (k d) -> b (h w k) f d", k=heads)
            for part in jnp.split(qkv, 3, axis=-1)
        )
        bias, mask = None, None
        if self.positions is not None:
            distance = self.positions(frames, self.head).astype(q.dtype) * self.head**-0.5
            bias = jnp.einsum("b n i d, i j d -> b n i j", q, distance)
        if cond.segments is not None:
            mask = same_clip(cond.segments)[:, None]
        out = attend(q, key, value, mask, bias)
        out = rearrange(out, "b (h w k) f d -> b f h w (k d)", k=heads, h=height)
        return h + dense(channels, gain=0.0, name="out")(out)


class TextAttention(nn.Module):
    """Every position attends to the caption's tokens; without a caption nothing is added.

    (Rombach et al. 2022, section 3.3)
    """

    head: int = 64

    @nn.compact
    def __call__(
        self, h: Float[Array, "b f h w c"], emb: Array, cond: Conditions, *, train: bool = False
    ) -> Float[Array, "b f h w c"]:
        frames, height, channels = h.shape[1], h.shape[2], h.shape[-1]
        heads = heads_of(channels, self.head, type(self).__name__)
        text, mask = clips_of_text(cond, "TextAttention")
        q = dense(channels, name="q")(GroupNorm(name="norm")(h))
        kv = dense(2 * channels, name="kv")(nn.LayerNorm(name="text_norm")(text))
        clips = 1  # frames of one clip read the same keys
        if cond.segments is not None:
            clips, length = frames, text.shape[2]
            kv = per_frame(kv.reshape(*kv.shape[:2], -1), cond.segments)
            kv = kv.reshape(*kv.shape[:2], length, 2 * channels)
            mask = per_frame(mask, cond.segments)

        q = rearrange(q, "b (n f) h w (k d) -> b n k (f h w) d", n=clips, k=heads)
        key, value = rearrange(kv, "b n l (s k d) -> s b n k l d", s=2, k=heads)
        out = attend(q, key, value, mask[:, :, None, None])
        out = out * mask.any(axis=-1)[:, :, None, None, None]
        out = rearrange(out, "b n k (f h w) d -> b (n f) h w (k d)", f=frames // clips, h=height)
        return h + dense(channels, gain=0.0, name="out")(out)


class FeedForward(nn.Module):
    """Two dense layers at every position, `expansion` times as wide inside."""

    expansion: int = 4

    @nn.compact
    def __call__(
        self, h: Float[Array, "b f h w c"], emb: Array, cond: Conditions, *, train: bool = False
    ) -> Float[Array, "b f h w c"]:
        inner = dense(self.expansion * h.shape[-1], name="in")(GroupNorm(name="norm")(h))
        return h + dense(h.shape[-1], gain=0.0, name="out")(nn.gelu(inner))
