"""Mixers: layers of a U-Net's level that mix tokens over space, over time, or with text.

All have the signature `(h, emb, cond, train=) -> h`, are residual, and end in a projection that
starts at zero, so a network keeps its outputs when an untrained mixer is inserted.
"""

import flax.linen as nn
import jax.numpy as jnp
from einops import rearrange
from jaxtyping import Array, Bool, Float, Int, Shaped

from vdm_jax.nn.attention import AttentionImplementation, DotProduct, LinearAttention, attend
from vdm_jax.nn.embeddings import Conditions, caption_tokens
from vdm_jax.nn.linear import Projections, dense
from vdm_jax.nn.norms import GroupNorm
from vdm_jax.nn.positions import RelativePositions
from vdm_jax.nn.segments import per_frame, same_clip
from vdm_jax.nn.sharding import constrain, gather


def num_heads(channels: int, head_dim: int, kind: str) -> int:
    """The number of heads of `head_dim` features each in `channels` channels.

    Raises:
      ValueError: the channels do not divide; names the layer `kind`.
    """
    if channels % head_dim:
        raise ValueError(
            f"{kind}: {channels} channels do not divide into heads of {head_dim} features"
        )
    return channels // head_dim


def projections(
    heads: int, head_dim: int, count: int, *, name: str, bias: bool = True
) -> Projections:
    """The layer of `count` outputs, such as queries, keys and values, of `b f n k d` each."""
    return Projections(count, (heads, head_dim), "k _", bias, name=name)


Heads = Float[Array, "b f n k d"]


def flatten_space(h: Float[Array, "b f h w c"]) -> Float[Array, "b f n c"]:
    """Rows and columns of pixels as one axis.

    Dense layers over pixels use this shape: a TPU would pad the axis of columns, which is next to
    the channels, and fill its matrix unit with the padding.
    """
    return rearrange(h, "b f h w c -> b f (h w) c")


def unflatten_space(a: Float[Array, "b f n c"], height: int) -> Float[Array, "b f h w c"]:
    """The inverse of `flatten_space`."""
    return rearrange(a, "b f (h w) c -> b f h w c", h=height)


def spatial_attention(
    q: Heads, k: Heads, v: Heads, implementation: AttentionImplementation = DotProduct()
) -> Float[Array, "b f n k*d"]:
    """The attention of every position of a frame to the positions of that frame."""
    qkv = (rearrange(x, "b f n k d -> b f k n d") for x in (q, k, v))
    out = implementation(*(constrain(x, "b f k n _") for x in qkv))
    return rearrange(constrain(out, "b f k n _"), "b f k n d -> b f n (k d)")


def cross_attention(
    q: Heads,
    k: Float[Array, "b m l k d"],
    v: Float[Array, "b m l k d"],
    mask: Bool[Array, "b m l"],
    segments: Int[Array, "b f"] | None,
) -> Float[Array, "b f n k*d"]:
    """The attention of every position of a frame to its clip's caption; zeros without a caption.

    mask: True for tokens of the caption.
    """
    frames, clips = q.shape[1], 1  # frames of one clip share keys
    if segments is not None:
        clips = frames
        k, v = per_frame(k, segments), per_frame(v, segments)
        mask = per_frame(mask.astype(k.dtype), segments) > 0

    q = rearrange(q, "b (m f) n k d -> b m k (f n) d", m=clips)
    k, v = (rearrange(x, "b m l k d -> b m k l d") for x in (k, v))
    out = attend(q, k, v, mask[:, :, None, None])
    out = out * mask.any(axis=-1)[:, :, None, None, None]
    return rearrange(out, "b m k (f n) d -> b (m f) n (k d)", f=frames // clips)


class SpatialAttention(nn.Module):
    """Every position of a frame attends to every position of that frame. (Ho et al. 2022, sec. 3)

    head_dim: features of a head.
    implementation: `DotProduct()` or, to save memory, `Sliced()` or, on a GPU, `CuDNN()`; the
      parameters are the same.
    """

    head_dim: int = 64
    implementation: AttentionImplementation = DotProduct()

    @nn.compact
    def __call__(
        self, h: Float[Array, "b f h w c"], emb: Array, cond: Conditions, *, train: bool = False
    ) -> Float[Array, "b f h w c"]:
        heads = num_heads(h.shape[-1], self.head_dim, type(self).__name__)
        normed = flatten_space(GroupNorm(name="norm")(h))
        q, k, v = projections(heads, self.head_dim, 3, name="qkv")(normed)
        out = spatial_attention(q, k, v, self.implementation)
        out = dense(h.shape[-1], gain=0.0, axes="k c", name="out")(out)
        return constrain(h + unflatten_space(out, h.shape[2]), "b f h w c")


class LinearSpatialAttention(SpatialAttention):
    """Linear attention of every position to its frame, for levels with many positions."""

    implementation: AttentionImplementation = LinearAttention()


class TemporalAttention(nn.Module):
    """Every position attends to the same position in the other frames of its clip.

    `softmax_j(q_i . (k_j + a_ij) / sqrt(d)) v_j`. (Ho et al. 2022, section 3; Shaw et al. 2018)

    head_dim: features of a head.
    positions: `(frames, head_dim) -> a_ij`; None: the order of frames has no effect.
    """

    head_dim: int = 64
    positions: nn.Module | None = RelativePositions()

    @nn.compact
    def __call__(
        self, h: Float[Array, "b f h w c"], emb: Array, cond: Conditions, *, train: bool = False
    ) -> Float[Array, "b f h w c"]:
        frames, height, channels = h.shape[1], h.shape[2], h.shape[-1]
        heads = num_heads(channels, self.head_dim, type(self).__name__)
        qkv = projections(heads, self.head_dim, 3, name="qkv")(
            to_time_layout(GroupNorm(name="norm")(h))
        )
        q, k, v = (constrain(rearrange(x, "b f p k d -> b p k f d"), "b p k _ _") for x in qkv)
        bias, mask = None, None
        if self.positions is not None:
            distance = self.positions(frames, self.head_dim).astype(q.dtype) * self.head_dim**-0.5
            bias = jnp.einsum("b p k i d, i j d -> b p k i j", q, distance)
        if cond.segments is not None:
            mask = same_clip(cond.segments)[:, None, None]
        out = constrain(attend(q, k, v, mask, bias), "b p k _ _")
        out = rearrange(out, "b p k f d -> b f p (k d)")
        out = dense(channels, gain=0.0, axes="k c", name="out")(out)
        return constrain(h + to_space_layout(out, height), "b f h w c")


class TemporalConvolution(nn.Module):
    """A convolution over the frames of a clip, at every position.

    `h + sum_d W_d swish(norm(h))_{i+d}` for |d| <= kernel // 2, all W_d zero at the start; frames
    beyond the ends of a clip are zero. Single images are unchanged, so a pack of images passes
    through the image network. (Ho et al. 2022, Imagen Video, sections 2.2.1 and 2.4)

    kernel: the number of frames that one output frame depends on, odd.
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
        a, kernel = to_time_layout(a), gather(kernel, "_ c c")
        out = bias.reshape(1, 1, 1, c)
        for tap in range(self.kernel):
            d = tap - self.kernel // 2
            shifted = shift_frames(a, d, 0)
            if segments is not None:
                same = shift_frames(segments, d, -1) == segments
                shifted = jnp.where(same[:, :, None, None], shifted, 0)
            out = out + jnp.einsum("b f p c, c d -> b f p d", shifted, kernel[tap])
        if segments is not None:
            in_video = same_clip(segments).sum(axis=-1) > 1
            out = jnp.where(in_video[:, :, None, None], out, 0)
        return constrain(h + to_space_layout(out, h.shape[2]), "b f h w c")


def to_time_layout(h: Float[Array, "b f h w c"]) -> Float[Array, "b f p c"]:
    """Flattened positions, sharded for a layer over time: a device has all frames of a position."""
    return constrain(constrain(flatten_space(h), "b f n c"), "b _ p c")


def to_space_layout(a: Float[Array, "b f p c"], height: int) -> Float[Array, "b f h w c"]:
    """The inverse of `to_time_layout`: a device has all positions of a frame."""
    return unflatten_space(constrain(constrain(a, "b _ p c"), "b f n c"), height)


def shift_frames(x: Shaped[Array, "b f *c"], d: int, fill: int) -> Shaped[Array, "b f *c"]:
    """Frame i + `d` of x as frame i; `fill` beyond the ends of x."""
    frames, rest = x.shape[1], [(0, 0)] * (x.ndim - 2)
    padded = jnp.pad(x, [(0, 0), (max(-d, 0), max(d, 0)), *rest], constant_values=fill)
    return padded[:, max(d, 0) : max(d, 0) + frames]


class TextAttention(nn.Module):
    """Every position attends to the caption's tokens; without a caption only `out`'s bias is added.

    (Rombach et al. 2022, section 3.3)

    head_dim: features of a head.
    """

    head_dim: int = 64

    @nn.compact
    def __call__(
        self, h: Float[Array, "b f h w c"], emb: Array, cond: Conditions, *, train: bool = False
    ) -> Float[Array, "b f h w c"]:
        channels = h.shape[-1]
        heads = num_heads(channels, self.head_dim, type(self).__name__)
        text, mask = caption_tokens(cond, "TextAttention")
        normed = flatten_space(GroupNorm(name="norm")(h))
        (q,) = projections(heads, self.head_dim, 1, name="q")(normed)
        text = nn.LayerNorm(name="text_norm")(text)
        k, v = projections(heads, self.head_dim, 2, name="kv")(text)
        out = cross_attention(q, k, v, mask, cond.segments)
        out = dense(channels, gain=0.0, axes="k c", name="out")(out)
        return constrain(h + unflatten_space(out, h.shape[2]), "b f h w c")


class FeedForward(nn.Module):
    """Two dense layers at every position.

    expansion: the width inside, as a multiple of the channels.
    """

    expansion: int = 4

    @nn.compact
    def __call__(
        self, h: Float[Array, "b f h w c"], emb: Array, cond: Conditions, *, train: bool = False
    ) -> Float[Array, "b f h w c"]:
        normed = GroupNorm(name="norm")(h)
        inner = dense(self.expansion * h.shape[-1], axes="c e", name="in")(normed)
        inner = constrain(nn.gelu(inner), "b f h w e")
        out = dense(h.shape[-1], gain=0.0, axes="e c", name="out")(inner)
        return constrain(h + out, "b f h w c")
