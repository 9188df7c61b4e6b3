"""Scalars, labels and captions as vectors: what a network is conditioned on.

An input of `Embedding` is a module `(logsnr, cond, frames, width) -> b f d`, or `b 1 d` where all
frames are alike. Their sum goes through the conditioning MLP.
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
    """The fields of a conditioning that layers read; any of them may be `None`."""

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
    """The cosine schedule's time of a log-SNR: `(2/pi) arctan exp(-logsnr/2)`, in (0, 1)."""
    return jnp.arctan(jnp.exp(-0.5 * jnp.clip(logsnr, -20.0, 20.0))) * (2 / jnp.pi)


def frame_positions(frames: int, segments: Int[Array, "b f"] | None) -> Array:
    """The index of each frame within its clip, `b f` or `1 f`; clips are contiguous."""
    index = jnp.arange(frames)[None]
    if segments is None:
        return index
    first = jnp.argmax(segments[:, None, :] == segments[:, :, None], axis=-1)
    return index - first


def clip_mean(h: Float[Array, "_ f d"], segments: Int[Array, "b f"] | None) -> Array:
    """The mean over the frames of the clip that each frame belongs to, `b f d` or `_ 1 d`."""
    if segments is None:
        return h.mean(axis=1, keepdims=True)
    same = same_clip(segments)
    share = same / same.sum(axis=-1, keepdims=True)
    return jnp.einsum("b f g, b g d -> b f d", share, h)


class LogSNR(nn.Module):
    """`sinusoids(1000 inverse_cosine(logsnr))`. (Salimans & Ho 2022, reference U-Net)"""

    @nn.compact
    def __call__(self, logsnr: Array, cond: Conditions, frames: int, width: int) -> Array:
        logsnr = logsnr.reshape(logsnr.shape[0], -1)
        return dense(width)(sinusoids(1000.0 * inverse_cosine(logsnr), width))


class LowresLogSNR(nn.Module):
    """How noisy the low-resolution video is that the network sees: sinusoids and two dense layers.

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
    """The guidance weight: `sinusoids(1000 weight / reach)`, dense, starting at zero.

    With it a network that was trained without this input starts as what it was, at any weight.
    reach: the largest weight expected. (Meng et al. 2023, section 3.1)
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
    """One vector per class; no label (`-1`, or `None`) is the zero vector."""

    classes: int

    @nn.compact
    def __call__(self, logsnr: Array, cond: Conditions, frames: int, width: int) -> Array:
        table = dense(width, bias=False)
        none = jnp.full(logsnr.shape[0], -1)
        label = none if cond.label is None else cond.label
        one_hot = jax.nn.one_hot(label.reshape(logsnr.shape[0], -1), self.classes)
        return per_frame(table(one_hot), cond.segments)


class PooledText(nn.Module):
    """Text tokens reduced by attention to one vector; no text is the zero vector.

    Each of `heads` takes its own weighted mean of the tokens: with one, a word that is read for the
    motion is read at the cost of the one that says the colour.
    (Ho et al. 2022, section 2: attention pooling of the token embeddings)
    """

    heads: int = 1

    @nn.compact
    def __call__(self, logsnr: Array, cond: Conditions, frames: int, width: int) -> Array:
        text, mask = caption_tokens(cond, "PooledText")
        text = nn.LayerNorm()(text)
        score = dense(self.heads)(text).astype(jnp.float32)
        share = jax.nn.softmax(jnp.where(mask[..., None], score, -1e9), axis=-2)
        pooled = jnp.einsum("b n l k, b n l d -> b n k d", share.astype(text.dtype), text)
        pooled = nn.LayerNorm()(pooled)  # a mean over many tokens is small, and must not be
        pooled = dense(width)(pooled.reshape(*pooled.shape[:2], -1))
        return per_frame(pooled * mask.any(axis=-1, keepdims=True), cond.segments)


class TextByFrame(nn.Module):
    """The product of a caption's vector and a frame's: what the caption says of this moment.

    A caption that only scales and shifts all frames alike cannot tell left from right; its product
    with the frame's place in the clip can. `heads` as in `PooledText`.
    """

    heads: int = 1

    @nn.compact
    def __call__(self, logsnr: Array, cond: Conditions, frames: int, width: int) -> Array:
        text = PooledText(self.heads)(logsnr, cond, frames, width)
        text = nn.LayerNorm()(text)
        place = sinusoids(frame_positions(frames, cond.segments), width, longest=64.0)
        # What all frames share is PooledText's to say; left in, it would drown the rest.
        change = dense(width)(place - clip_mean(place, cond.segments))
        return dense(width)(nn.LayerNorm()(text * change))


def caption_tokens(cond: Conditions, reader: str) -> tuple[Array, Array]:
    """Text as `b n l d` and its mask as `b n l`, whatever the number of clips in a row."""
    if cond.text is None:
        raise ValueError(f"{reader} needs cond.text; give the network a text encoder or embeddings")
    text = cond.text if cond.text.ndim == 4 else cond.text[:, None]
    if cond.text_mask is None:
        return text, jnp.ones(text.shape[:-1], bool)
    return text, cond.text_mask.reshape(text.shape[:-1])


class Embedding(nn.Module):
    """The conditioning vector of every frame: an MLP over the sum of its inputs, `b f d`.

    (Ho et al. 2022: conditioning embedding 1024, 2 or 4 MLP layers)
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
    """An embedding brought to unit variance, so that every part of it is heard from the start."""

    embedding: nn.Module

    @nn.compact
    def __call__(self, logsnr: Array, cond: Any, frames: int) -> Array:
        return nn.LayerNorm()(self.embedding(logsnr, cond, frames))
