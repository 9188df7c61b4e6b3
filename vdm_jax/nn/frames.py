"""Which frames a frame attends to."""

from jaxtyping import Array, Bool, Int


def same_clip(segments: Int[Array, "b f"]) -> Bool[Array, "b f f"]:
    """Frames of one clip see one another and no others; a lone image sees only itself.

    (Ho et al. 2022, section 3.1: joint training on video and image modelling)
    """
    return segments[:, :, None] == segments[:, None, :]
