"""Layers that mix tokens in a level of a U-Net: over space, over time, or with text.

All have one signature, `(h, emb, cond, train=) -> h`, are residual, and end in a projection that
starts at zero, so that a new mixer changes nothing until it has learnt something.
"""

import flax.linen as nn
import jax.numpy as jnp
from einops import rearrange
from jaxtyping import Array, Float

from vdm_jax.nn.attention import attend
from vdm_jax.nn.embeddings import Conditions, clips_of_text, per_frame
from vdm_jax.nn.frames import same_clip
from vdm_jax.nn.norms import GroupNorm
from vdm_jax.nn.positions import RelativePositions


def zero_dense(features: int, name: str | None = None) -> nn.Dense:
    """A projection that starts at zero."""
    return nn.Dense(features, kernel_init=nn.initializers.zeros, name=name)


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
    def __call__(self, h: Array, emb: Array, cond: Conditions, *, train: bool = False) -> Array:
        heads = heads_of(h.shape[-1], self.head, "SpatialAttention")
        height = h.shape[2]
        qkv = nn.Dense(3 * h.shape[-1], name="qkv")(GroupNorm(name="norm")(h))
        q, key, value = rearrange(qkv, "b f h w (s k d) -> s b f (h w) k d", s=3, k=heads)
        out = rearrange(attend(q, key, value), "b f (h w) k d -> b f h w (k d)", h=height)
        return h + zero_dense(h.shape[-1], name="out")(out)


class TemporalAttention(nn.Module):
    """Every position attends to the same position in the other frames of its clip.

    `softmax_j(q_i . (k_j + a_ij) / sqrt(d)) v_j`, with `a_ij` of `RelativePositions`.
    (Ho et al. 2022, section 3; Shaw et al. 2018)
    """

    head: int = 64
    positions: nn.Module | None = RelativePositions()

    @nn.compact
    def __call__(self, h: Array, emb: Array, cond: Conditions, *, train: bool = False) -> Array:
        frames = h.shape[1]
        heads = heads_of(h.shape[-1], self.head, "TemporalAttention")
        height = h.shape[2]
        qkv = nn.Dense(3 * h.shape[-1], name="qkv")(GroupNorm(name="norm")(h))
        q, key, value = rearrange(qkv, "b f h w (s k d) -> s b (h w) f k d", s=3, k=heads)
        bias, mask = None, None
        if self.positions is not None:
            distance = self.positions(frames, self.head).astype(q.dtype) * self.head**-0.5
            bias = jnp.einsum("b s i k d, i j d -> b s k i j", q, distance)
        if cond.segments is not None:
            mask = same_clip(cond.segments)[:, None, None]
        out = attend(q, key, value, mask, bias)
        out = rearrange(out, "b (h w) f k d -> b f h w (k d)", h=height)
        return h + zero_dense(h.shape[-1], name="out")(out)


class TextAttention(nn.Module):
    """Every position attends to the caption's tokens; without a caption nothing is added.

    (Rombach et al. 2022, section 3.3)
    """

    head: int = 64

    @nn.compact
    def __call__(self, h: Array, emb: Array, cond: Conditions, *, train: bool = False) -> Array:
        channels, (height, width) = h.shape[-1], h.shape[2:4]
        heads = heads_of(channels, self.head, "TextAttention")
        text, mask = clips_of_text(cond, "TextAttention")
        text = nn.LayerNorm(name="text_norm")(text)
        q = nn.Dense(channels, name="q")(GroupNorm(name="norm")(h))
        kv = nn.Dense(2 * channels, name="kv")(text)
        length, some = text.shape[2], mask.any(axis=-1)
        if cond.segments is None:  # one clip a row: its frames read the same keys
            q = rearrange(q, "b f h w (k d) -> b 1 (f h w) k d", k=heads)
        else:
            q = rearrange(q, "b f h w (k d) -> b f (h w) k d", k=heads)
            kv = per_frame(kv.reshape(*kv.shape[:2], -1), cond.segments)
            kv = kv.reshape(*kv.shape[:2], length, 2 * channels)
            mask = per_frame(mask, cond.segments)
            some = mask.any(axis=-1)
        key, value = rearrange(kv, "b n l (s k d) -> s b n l k d", s=2, k=heads)
        out = attend(q, key, value, mask[:, :, None, None]) * some[:, :, None, None, None]
        out = out.reshape(h.shape[0], h.shape[1], height, width, channels)
        return h + zero_dense(channels, name="out")(out)


class FeedForward(nn.Module):
    """Two dense layers at every position, `expansion` times as wide inside."""

    expansion: int = 4

    @nn.compact
    def __call__(
        self, h: Float[Array, "b f h w c"], emb: Array, cond: Conditions, *, train: bool = False
    ) -> Array:
        inner = nn.Dense(self.expansion * h.shape[-1])(GroupNorm()(h))
        return h + zero_dense(h.shape[-1])(nn.gelu(inner))
