"""Frames and their clips: which frames attend to one another, and what belongs to each."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


def same_clip(segments: Int[Array, "b f"]) -> Bool[Array, "b f f"]:
    """Frames of one clip see one another and no others; a lone image sees only itself.

    (Ho et al. 2022, section 3.1: joint training on video and image modelling)
    """
    return segments[:, :, None] == segments[:, None, :]


def per_frame(
    clips: Float[Array, "b n *any"], segments: Int[Array, "b f"] | None
) -> Float[Array, "b _ *any"]:
    """What belongs to the clip of each frame, `b f ...`, or `b 1 ...` for one clip.

    A product with ones and zeros, and exact: a TPU would copy clips one by one, and in the backward
    pass add them up one by one.
    """
    if segments is None or clips.shape[1] == 1:
        return clips
    which = jax.nn.one_hot(segments, clips.shape[1], dtype=clips.dtype)
    return jnp.einsum("b f n, b n ... -> b f ...", which, clips, precision="highest")
