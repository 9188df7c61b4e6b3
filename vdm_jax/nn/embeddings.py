"""Embeddings of log-SNRs, labels and captions: the conditioning vector of every frame.

`Embedding` sums modules `(logsnr, cond, frames, width) -> b f d`, or `b 1 d` for one vector for all
frames, and applies the conditioning MLP.
"""

import functools
from typing import Any, Protocol, runtime_checkable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Num

from vdm_jax.nn.linear import dense
from vdm_jax.nn.segments import per_frame, same_clip
from vdm_jax.nn.submodules import as_submodules


@runtime_checkable
class Conditions(Protocol):
    """The fields of `models.Conditioning` that layers use; any of them may be `None`."""

    @property
    def label(self) -> Array | None: ...
    @property
    def text(self) -> Array | None: ...
    @property
    def text_mask(self) -> Array | None: ...
    @property
    def segments(self) -> Array | None: ...
    @property
    def lowres_logsnr(self) -> Array | None: ...
    @property
    def guidance(self) -> Array | None: ...


def sinusoids(
    position: Num[Array, "..."], features: int, longest: float = 10_000.0
) -> Float[Array, "... d"]:
    """`[sin(p w_i), cos(p w_i)]` with `w_i = longest^(-i / (d/2 - 1))`. (Vaswani et al. 2017)"""
    half = features // 2
    frequency = jnp.exp(-jnp.log(longest) * jnp.arange(half) / (half - 1))
    angle = position.astype(jnp.float32)[..., None] * frequency.reshape(
        *([1] * position.ndim), half
    )
    return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1)


def inverse_cosine(logsnr: Float[Array, "..."]) -> Float[Array, "..."]:
    """The time of a log-SNR on the cosine schedule: `(2/pi) arctan exp(-logsnr/2)`, in (0, 1)."""
    return jnp.arctan(jnp.exp(-0.5 * jnp.clip(logsnr, -20.0, 20.0))) * (2 / jnp.pi)


def frame_positions(frames: int, segments: Int[Array, "b f"] | None) -> Array:
    """The index of each frame within its clip, `b f` or `1 f`; clips are contiguous."""
    index = jnp.arange(frames)[None]
    if segments is None:
        return index
    first = jnp.argmax(segments[:, None, :] == segments[:, :, None], axis=-1)
    return index - first


def clip_mean(h: Float[Array, "_ f d"], segments: Int[Array, "b f"] | None) -> Array:
    """The mean over the frames of each frame's clip, `b f d` or, for one clip, `_ 1 d`."""
    if segments is None:
        return h.mean(axis=1, keepdims=True)
    same = same_clip(segments)
    weights = same / same.sum(axis=-1, keepdims=True)
    return jnp.einsum("b f g, b g d -> b f d", weights, h)


class LogSNR(nn.Module):
    """`sinusoids(1000 inverse_cosine(logsnr))`. (Salimans & Ho 2022, reference U-Net)"""

    @nn.compact
    def __call__(self, logsnr: Array, cond: Conditions, frames: int, width: int) -> Array:
        logsnr = logsnr.reshape(logsnr.shape[0], -1)
        return dense(width)(sinusoids(1000.0 * inverse_cosine(logsnr), width))


class LowresLogSNR(nn.Module):
    """The log-SNR of the low-resolution video: sinusoids and two dense layers.

    (Ho et al. 2022, Imagen Video, section 2.5: noise conditioning augmentation)
    """

    @nn.compact
    def __call__(self, logsnr: Array, cond: Conditions, frames: int, width: int) -> Array:
        if cond.lowres_logsnr is None:
            raise ValueError("LowresLogSNR needs cond.lowres_logsnr; give the task a `lowres`")
        level = cond.lowres_logsnr.reshape(logsnr.shape[0], -1)
        h = dense(width)(sinusoids(1000.0 * inverse_cosine(level), width))
        return dense(width)(nn.swish(h))


class Guidance(nn.Module):
    """The guidance weight: `sinusoids(1000 weight / reach)` and a dense layer that starts at zero.

    A network trained without this input keeps its outputs, at any weight, when the input is added.
    (Meng et al. 2023, section 3.1)

    reach: the largest weight expected.
    """

    reach: float = 16.0

    @nn.compact
    def __call__(self, logsnr: Array, cond: Conditions, frames: int, width: int) -> Array:
        if cond.guidance is None:
            raise ValueError(
                "this network takes the guidance weight as an input, and cond.guidance is None: "
                "sample with sampling.Distilled(guidance=...), train with `weights`"
            )
        weight = cond.guidance.reshape(-1, 1)
        return dense(width, gain=0.0)(sinusoids(1000.0 * weight / self.reach, width))


class Label(nn.Module):
    """One vector per class; the zero vector without a label (-1 or None).

    classes: how many there are.
    """

    classes: int

    @nn.compact
    def __call__(self, logsnr: Array, cond: Conditions, frames: int, width: int) -> Array:
        table = dense(width, bias=False)
        none = jnp.full(logsnr.shape[0], -1)
        label = none if cond.label is None else cond.label
        one_hot = jax.nn.one_hot(label.reshape(logsnr.shape[0], -1), self.classes)
        return per_frame(table(one_hot), cond.segments)


class PooledText(nn.Module):
    """Attention pooling of text tokens to one vector; the zero vector without text.

    (Ho et al. 2022, section 2: attention pooling of the token embeddings)

    heads: each has its own weighted mean of the tokens. With one head, the weight of the words for
      motion lowers the weight of the words for color.
    """

    heads: int = 1

    @nn.compact
    def __call__(self, logsnr: Array, cond: Conditions, frames: int, width: int) -> Array:
        text, mask = caption_tokens(cond, "PooledText")
        text = nn.LayerNorm()(text)
        score = dense(self.heads)(text).astype(jnp.float32)
        weights = jax.nn.softmax(jnp.where(mask[..., None], score, -1e9), axis=-2)
        pooled = jnp.einsum("b n l k, b n l d -> b n k d", weights.astype(text.dtype), text)
        pooled = nn.LayerNorm()(pooled)  # a mean over many tokens has a small variance
        pooled = dense(width)(pooled.reshape(*pooled.shape[:2], -1))
        return per_frame(pooled * mask.any(axis=-1, keepdims=True), cond.segments)


class TextByFrame(nn.Module):
    """The product of the caption's vector and the vector of the frame's position in its clip.

    It lets a caption act on every frame differently, which a motion to the left or to the right
    needs: a caption's vector alone scales and shifts all frames equally.

    heads: as in `PooledText`.
    """

    heads: int = 1

    @nn.compact
    def __call__(self, logsnr: Array, cond: Conditions, frames: int, width: int) -> Array:
        text = PooledText(self.heads)(logsnr, cond, frames, width)
        text = nn.LayerNorm()(text)
        position = sinusoids(frame_positions(frames, cond.segments), width, longest=64.0)
        # Without their mean over the clip, which is larger than the differences between frames.
        change = dense(width)(position - clip_mean(position, cond.segments))
        return dense(width)(nn.LayerNorm()(text * change))


def caption_tokens(cond: Conditions, layer: str) -> tuple[Array, Array]:
    """Text as `b n l d` and its mask as `b n l`; n is 1 for batch elements of one clip.

    Raises:
      ValueError: there is no text; names the `layer`.
    """
    if cond.text is None:
        raise ValueError(f"{layer} needs cond.text; give the network a text encoder or embeddings")
    text = cond.text if cond.text.ndim == 4 else cond.text[:, None]
    if cond.text_mask is None:
        return text, jnp.ones(text.shape[:-1], bool)
    return text, cond.text_mask.reshape(text.shape[:-1])


class Embedding(nn.Module):
    """The conditioning vector of every frame, `b f d`: an MLP of the sum of its inputs.

    (Ho et al. 2022: conditioning embedding 1024, 2 or 4 MLP layers)

    width: features d.
    layers: of the MLP.
    inputs: modules `(logsnr, cond, frames, width) -> b f d` or `b 1 d`.
    """

    width: int = 1024
    layers: int = 2
    inputs: tuple[nn.Module, ...] = (LogSNR(),)

    @nn.compact
    def __call__(self, logsnr: Array, cond: Any, frames: int) -> Array:
        inputs = as_submodules(self, self.inputs)
        vectors = [module(logsnr, cond, frames, self.width) for module in inputs]
        total = functools.reduce(jnp.add, vectors)
        for _ in range(self.layers):
            total = dense(self.width, gain=2.0)(nn.swish(total))  # swish halves the variance
        return total


class NormalizedEmbedding(nn.Module):
    """An embedding followed by layer normalisation, so that it starts with unit variance."""

    embedding: nn.Module

    @nn.compact
    def __call__(self, logsnr: Array, cond: Any, frames: int) -> Array:
        return nn.LayerNorm()(self.embedding(logsnr, cond, frames))
