"""Layers that mix tokens in a level of a U-Net: over space, over time, or with text.

All have one signature, `(h, emb, cond, train=) -> h`, are residual, and end in a projection that
starts at zero, so that a new mixer changes nothing until it has learnt something.
"""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from einops import rearrange
from jaxtyping import Array, Bool, Float, Int, Shaped

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


def among_positions(
    qkv: Float[Array, "b f h w 3*c"], heads: int, read: Callable = attend
) -> Float[Array, "b f h w c"]:
    """What every position of a frame reads at the positions of that frame."""
    q, key, value = (
        rearrange(part, "b f h w (k d) -> b (f k) (h w) d", k=heads)
        for part in jnp.split(qkv, 3, axis=-1)
    )
    out = read(q, key, value)
    return rearrange(out, "b (f k) (h w) d -> b f h w (k d)", k=heads, h=qkv.shape[2])


def among_words(
    q: Float[Array, "b f h w c"],
    kv: Float[Array, "b n l 2*c"],
    mask: Bool[Array, "b n l"],
    segments: Int[Array, "b f"] | None,
    heads: int,
) -> Float[Array, "b f h w c"]:
    """What every position of a frame reads in its clip's caption: zeros where there is none."""
    frames, height = q.shape[1], q.shape[2]
    clips = 1  # frames of one clip read the same keys
    if segments is not None:
        clips, (b, n, length, channels) = frames, kv.shape
        kv = per_frame(kv.reshape(b, n, -1), segments)
        kv = kv.reshape(b, kv.shape[1], length, channels)
        mask = per_frame(mask, segments)

    q = rearrange(q, "b (n f) h w (k d) -> b n k (f h w) d", n=clips, k=heads)
    key, value = rearrange(kv, "b n l (s k d) -> s b n k l d", s=2, k=heads)
    out = attend(q, key, value, mask[:, :, None, None])
    out = out * mask.any(axis=-1)[:, :, None, None, None]
    return rearrange(out, "b n k (f h w) d -> b (n f) h w (k d)", f=frames // clips, h=height)


class SpatialAttention(nn.Module):
    """Every position of a frame attends to every position of that frame. (Ho et al. 2022, sec. 3)

    `head` is the number of features of one head.
    """

    head: int = 64

    @nn.compact
    def __call__(
        self, h: Float[Array, "b f h w c"], emb: Array, cond: Conditions, *, train: bool = False
    ) -> Float[Array, "b f h w c"]:
        heads = heads_of(h.shape[-1], self.head, type(self).__name__)
        qkv = dense(3 * h.shape[-1], name="qkv")(GroupNorm(name="norm")(h))
        out = among_positions(qkv, heads, self.read)
        return h + dense(h.shape[-1], gain=0.0, name="out")(out)

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


class TemporalConvolution(nn.Module):
    """Every position reads itself and its neighbours in time, as far as they are of its clip.

    `h + sum_d W_d swish(norm(h))_{i+d}` for |d| <= kernel // 2, all W_d zero at the start; frames
    beyond the ends of a clip are zero. A lone image passes by unchanged, so that a pack of images
    goes through the image network. (Ho et al. 2022, Imagen Video, sections 2.2.1 and 2.4)
    """

    kernel: int = 3

    @nn.compact
    def __call__(
        self, h: Float[Array, "b f h w c"], emb: Array, cond: Conditions, *, train: bool = False
    ) -> Float[Array, "b f h w c"]:
        c, segments = h.shape[-1], cond.segments
        kernel = self.param("kernel", nn.initializers.zeros, (self.kernel, c, c))
        bias = self.param("bias", nn.initializers.zeros, (c,))
        a = nn.swish(GroupNorm(name="norm")(h))
        if h.shape[1] == 1:
            return h
        out = bias.reshape(1, 1, 1, 1, c)
        for tap in range(self.kernel):
            d = tap - self.kernel // 2
            near = later(a, d, 0)
            if segments is not None:
                same = later(segments, d, -1) == segments
                near = jnp.where(same[:, :, None, None, None], near, 0)
            out = out + jnp.einsum("b f h w c, c d -> b f h w d", near, kernel[tap])
        if segments is not None:
            moves = same_clip(segments).sum(axis=-1) > 1
            out = jnp.where(moves[:, :, None, None, None], out, 0)
        return h + out


def later(x: Shaped[Array, "b f *c"], d: int, fill: int) -> Shaped[Array, "b f *c"]:
    """Frame i is frame i + `d` of x, or `fill` where x has none."""
    frames, rest = x.shape[1], [(0, 0)] * (x.ndim - 2)
    padded = jnp.pad(x, [(0, 0), (max(-d, 0), max(d, 0)), *rest], constant_values=fill)
    return padded[:, max(d, 0) : max(d, 0) + frames]


class TextAttention(nn.Module):
    """Every position attends to the caption's tokens; without a caption nothing is added.

    (Rombach et al. 2022, section 3.3)
    """

    head: int = 64

    @nn.compact
    def __call__(
        self, h: Float[Array, "b f h w c"], emb: Array, cond: Conditions, *, train: bool = False
    ) -> Float[Array, "b f h w c"]:
        channels = h.shape[-1]
        heads = heads_of(channels, self.head, type(self).__name__)
        text, mask = clips_of_text(cond, "TextAttention")
        q = dense(channels, name="q")(GroupNorm(name="norm")(h))
        kv = dense(2 * channels, name="kv")(nn.LayerNorm(name="text_norm")(text))
        out = among_words(q, kv, mask, cond.segments, heads)
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
