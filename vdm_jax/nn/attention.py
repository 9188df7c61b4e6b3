"""Attention over arrays of queries, keys and values, with the softmax in float32."""

import dataclasses
from typing import Protocol, runtime_checkable

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
    """`softmax(scale q k^T + bias) v`. (Vaswani et al. 2017, eq. 1)

    Heads are among the batch axes.

    mask: False where a query does not attend to a key.
    scale: None: `1 / sqrt(d)`.
    """
    score = _scores(q, k, scale)
    if bias is not None:
        score = score + bias.astype(jnp.float32)
    if mask is not None:
        score = jnp.where(mask, score, -1e9)
    weights = jax.nn.softmax(score, axis=-1).astype(v.dtype)
    return jnp.einsum("...nm,...md->...nd", weights, v)


def _scores(q: Array, k: Array, scale: float | None = None) -> Float[Array, "*batch n m"]:
    """`scale q k^T` in float32."""
    factor = q.shape[-1] ** -0.5 if scale is None else scale
    return jnp.einsum("...nd,...md->...nm", q * factor, k).astype(jnp.float32)


def attend_linearly(
    q: Float[Array, "*batch n d"],
    k: Float[Array, "*batch m d"],
    v: Float[Array, "*batch m e"],
) -> Float[Array, "*batch n e"]:
    """`softmax_d(q) (softmax_m(k)^T v)`: every query reads the same `d e` summary of all tokens.

    The cost is linear in the number of tokens. (Shen et al. 2018, section 3.2)
    """
    q, k, v = (a.astype(jnp.float32) for a in (q, k, v))
    summary = jnp.einsum("...md,...me->...de", jax.nn.softmax(k, axis=-2), v)
    return jnp.einsum("...nd,...de->...ne", jax.nn.softmax(q, axis=-1), summary).astype(v.dtype)


@jax.custom_vjp
def _softmax_dot(score: Float[Array, "*batch n m"], v: Float[Array, "*batch m d"]) -> Array:
    """`softmax(score) v` in fewer passes over `n m`, for more tokens m than features d.

    `out = e v / e 1` with `e = exp(score - max)`, the sum `e 1` as one more feature of the product;
    back, `d score = e / (e 1) * (d out v^T - d out . out)`, which sums over d instead of m.
    (Dao et al. 2022, FlashAttention, appendix B.2)
    """
    return _softmax_dot_forward(score, v)[0]


def _softmax_dot_forward(score: Array, v: Array) -> tuple[Array, tuple[Array, ...]]:
    e = jnp.exp(score - score.max(axis=-1, keepdims=True)).astype(v.dtype)
    v_and_1 = jnp.concatenate([v, jnp.ones_like(v[..., :1])], axis=-1)
    out = jnp.einsum("...nm,...md->...nd", e, v_and_1, preferred_element_type=jnp.float32)
    total = out[..., -1:]
    out = (out[..., :-1] / total).astype(v.dtype)
    return out, (e, total, v, out)


def _softmax_dot_backward(residuals: tuple[Array, ...], d_out: Array) -> tuple[Array, Array]:
    e, total, v, out = residuals
    scaled = d_out.astype(jnp.float32) / total
    mean = (scaled * out).sum(axis=-1, keepdims=True)
    scaled = scaled.astype(v.dtype)
    d_weights = jnp.einsum("...nd,...md->...nm", scaled, v).astype(jnp.float32)
    d_v = jnp.einsum("...nm,...nd->...md", e, scaled)
    return e.astype(jnp.float32) * (d_weights - mean), d_v


_softmax_dot.defvjp(_softmax_dot_forward, _softmax_dot_backward)


@runtime_checkable
class AttentionImplementation(Protocol):
    """How the attention of every position to the positions of its frame is computed."""

    def __call__(
        self,
        q: Float[Array, "b f k n d"],
        k: Float[Array, "b f k n d"],
        v: Float[Array, "b f k n d"],
    ) -> Float[Array, "b f k n d"]: ...


@dataclasses.dataclass(frozen=True)
class DotProduct:
    """All frames in one batch. Stores n^2 attention weights per frame for the backward pass."""

    def __call__(self, q: Array, k: Array, v: Array) -> Array:
        positions, features = k.shape[-2:]
        if positions <= features:
            return attend(q, k, v)
        return _softmax_dot(_scores(q, k), v)


@dataclasses.dataclass(frozen=True)
class Sliced:
    """`DotProduct` one frame after the other; the backward pass recomputes the attention weights.

    Memory is linear in n (as Rabe & Staats 2021, algorithm 1). Frames should not be sharded.
    """

    def __call__(self, q: Array, k: Array, v: Array) -> Array:
        frames = [jnp.moveaxis(x, 1, 0) for x in (q, k, v)]
        frame = jax.checkpoint(lambda qkv: DotProduct()(*qkv))
        return jnp.moveaxis(jax.lax.map(frame, frames), 0, 1)


@dataclasses.dataclass(frozen=True)
class CuDNN:
    """cuDNN's kernel, for bfloat16 on NVIDIA GPUs; float32 arrays go to `DotProduct`.

    The backward pass recomputes the attention weights. (Dao 2023, FlashAttention-2)
    """

    def __call__(self, q: Array, k: Array, v: Array) -> Array:
        if q.dtype == jnp.float32:
            return DotProduct()(q, k, v)
        frames = [rearrange(x, "b f k n d -> (b f) n k d") for x in (q, k, v)]
        out = jax.nn.dot_product_attention(*frames, implementation="cudnn")
        return rearrange(out, "(b f) n k d -> b f k n d", b=len(q))


@dataclasses.dataclass(frozen=True)
class LinearAttention:
    """`attend_linearly`: every position reads a summary of its frame."""

    def __call__(self, q: Array, k: Array, v: Array) -> Array:
        return attend_linearly(q, k, v)
