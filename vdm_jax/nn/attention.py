"""Attention proper: what tokens read from one another, softmax in float32."""

import dataclasses
from typing import Protocol

import jax
import jax.numpy as jnp
from einops import rearrange
from jaxtyping import Array, Bool, Float


def attend(
    q: Float[Array, "*batch n d"],
    k: Float[Array, "*batch m d"],
    v: Float[Array, "*batch m d"],
    mask: Bool[Array, "*#batch #n m"] | None = None,
    bias: Float[Array, "*#batch #n m"] | None = None,
    scale: float | None = None,
) -> Float[Array, "*batch n d"]:
    """`softmax(scale q k^T + bias) v`; masked keys (False) are not read.

    Heads are a batch like any other. `scale` is `1 / sqrt(d)` where none is given.
    (Vaswani et al. 2017, eq. 1)
    """
    score = _scores(q, k, scale)
    if bias is not None:
        score = score + bias.astype(jnp.float32)
    if mask is not None:
        score = jnp.where(mask, score, -1e9)
    share = jax.nn.softmax(score, axis=-1).astype(v.dtype)
    return jnp.einsum("...nm,...md->...nd", share, v)


def _scores(q: Array, k: Array, scale: float | None = None) -> Float[Array, "*batch n m"]:
    """`scale q k^T` in float32."""
    factor = q.shape[-1] ** -0.5 if scale is None else scale
    return jnp.einsum("...nd,...md->...nm", q * factor, k).astype(jnp.float32)


def attend_linearly(
    q: Float[Array, "*batch n d"],
    k: Float[Array, "*batch m d"],
    v: Float[Array, "*batch m e"],
) -> Float[Array, "*batch n e"]:
    """`softmax_d(q) (softmax_m(key)^T v)`: a summary of all tokens, of which each reads its part.

    The cost is linear in the number of tokens. (Shen et al. 2018, section 3.2)
    """
    q, k, v = (a.astype(jnp.float32) for a in (q, k, v))
    summary = jnp.einsum("...md,...me->...de", jax.nn.softmax(k, axis=-2), v)
    return jnp.einsum("...nd,...de->...ne", jax.nn.softmax(q, axis=-1), summary).astype(v.dtype)


@jax.custom_vjp
def _mean(score: Float[Array, "*batch n m"], v: Float[Array, "*batch m d"]) -> Array:
    """`softmax(score) value`, for more values than features: what costs is passes over `n m`.

    `out = e v / e 1` with `e = exp(score - max)`, the sum `e 1` as one more feature of the product;
    back, `d score = e / (e 1) * (d out v^T - d out . out)`, which sums over d instead of m.
    (Dao et al. 2022, FlashAttention, appendix B.2)
    """
    return _mean_forward(score, v)[0]


def _mean_forward(score: Array, v: Array) -> tuple[Array, tuple[Array, ...]]:
    share = jnp.exp(score - score.max(axis=-1, keepdims=True)).astype(v.dtype)
    counted = jnp.concatenate([v, jnp.ones_like(v[..., :1])], axis=-1)
    out = jnp.einsum("...nm,...md->...nd", share, counted, preferred_element_type=jnp.float32)
    total = out[..., -1:]
    out = (out[..., :-1] / total).astype(v.dtype)
    return out, (share, total, v, out)


def _mean_backward(kept: tuple[Array, ...], gradient: Array) -> tuple[Array, Array]:
    share, total, v, out = kept
    wide = gradient.astype(jnp.float32) / total
    own = (wide * out).sum(axis=-1, keepdims=True)
    narrow = wide.astype(v.dtype)
    of_share = jnp.einsum("...nd,...md->...nm", narrow, v).astype(jnp.float32)
    of_value = jnp.einsum("...nm,...nd->...md", share, narrow)
    return share.astype(jnp.float32) * (of_share - own), of_value


_mean.defvjp(_mean_forward, _mean_backward)


class AttentionImplementation(Protocol):
    """How positions read the positions of their frame."""

    def __call__(
        self,
        q: Float[Array, "b f k n d"],
        k: Float[Array, "b f k n d"],
        v: Float[Array, "b f k n d"],
    ) -> Float[Array, "b f k n d"]: ...


@dataclasses.dataclass(frozen=True)
class DotProduct:
    """All frames at once; the shares of all of them, n^2 a frame, wait for the backward pass."""

    def __call__(self, q: Array, k: Array, v: Array) -> Array:
        positions, features = k.shape[-2:]
        if positions <= features:
            return attend(q, k, v)
        return _mean(_scores(q, k), v)


@dataclasses.dataclass(frozen=True)
class Sliced:
    """The same, one frame after the other; the backward pass computes the shares of each again.

    What waits is linear in n, as of Rabe & Staats 2021, algorithm 1; frames should not be shared
    by devices.
    """

    def __call__(self, q: Array, k: Array, v: Array) -> Array:
        frames = [jnp.moveaxis(part, 1, 0) for part in (q, k, v)]
        frame = jax.checkpoint(lambda parts: DotProduct()(*parts))
        return jnp.moveaxis(jax.lax.map(frame, frames), 0, 1)


@dataclasses.dataclass(frozen=True)
class CuDNN:
    """The same by cuDNN's kernel, for bfloat16 on NVIDIA's GPUs; of float32, all frames at once.

    The kernel keeps no shares: the backward pass computes them again. (Dao 2023, FlashAttention-2)
    """

    def __call__(self, q: Array, k: Array, v: Array) -> Array:
        if q.dtype == jnp.float32:
            return DotProduct()(q, k, v)
        rows = [rearrange(part, "b f k n d -> (b f) n k d") for part in (q, k, v)]
        out = jax.nn.dot_product_attention(*rows, implementation="cudnn")
        return rearrange(out, "(b f) n k d -> b f k n d", b=len(q))


@dataclasses.dataclass(frozen=True)
class LinearAttention:
    """A summary of the frame is read, as `attend_linearly` makes it."""

    def __call__(self, q: Array, k: Array, v: Array) -> Array:
        return attend_linearly(q, k, v)
