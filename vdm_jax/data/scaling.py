"""Scaling between the pixels 0..255 of files and batches, and the x in [-1, 1] of models."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8


def to_float(video: Any) -> Any:
    """x = video / 127.5 - 1 in float32; numpy arrays stay numpy, jax arrays stay jax."""
    return video.astype(np.float32) / np.float32(127.5) - np.float32(1)


def to_uint8(x: Float[Array, "..."]) -> UInt8[Array, "..."]:
    """[-1, 1] to 0..255, rounded and clipped."""
    return jnp.clip(jnp.round((x + 1) * 127.5), 0, 255).astype(jnp.uint8)
