"""Segments: which clip each frame of a batch element belongs to."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


def same_clip(segments: Int[Array, "b f"]) -> Bool[Array, "b f f"]:
    """True for pairs of frames of one clip: the mask of temporal attention.

    (Ho et al. 2022, section 3.1: joint training on video and image modelling)
    """
    return segments[:, :, None] == segments[:, None, :]


def per_frame(
    clips: Float[Array, "b n *any"], segments: Int[Array, "b f"] | None
) -> Float[Array, "b _ *any"]:
    """The array of each frame's clip, `b f ...`, or `b 1 ...` for one clip.

    An exact product with a one-hot matrix: a TPU would gather clips one by one and, in the backward
    pass, scatter-add them one by one.
    """
    if segments is None or clips.shape[1] == 1:
        return clips
    one_hot = jax.nn.one_hot(segments, clips.shape[1], dtype=clips.dtype)
    return jnp.einsum("b f n, b n ... -> b f ...", one_hot, clips, precision="highest")
