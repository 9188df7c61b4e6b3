"""Features: the vectors of clips that distribution metrics compare."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from vdm_jax.data import to_float
from vdm_jax.interfaces import Clips


@runtime_checkable
class Features(Protocol):
    """A frozen dataclass that maps uint8 clips [b f h w c] to features [b d]."""

    @property
    def name(self) -> str:
        """The name in results; distances of different features are not comparable."""
        ...

    def __call__(self, video: Clips) -> Float[np.ndarray, "b d"]: ...


@dataclass(frozen=True)
class PixelFeatures:
    """The clip in [-1, 1], resized with antialiasing to frames x size x size and flattened.

    For comparing runs without any weights: it captures layout, color and coarse motion, no texture.
    Its distances are **not comparable with published numbers**, which use I3D or Inception.

    frames: frames after resizing.
    size: rows and columns after resizing, in pixels.
    """

    frames: int = 4
    size: int = 4

    @property
    def name(self) -> str:
        return "pixels"

    def __call__(self, video: Clips) -> Float[np.ndarray, "b d"]:
        x = to_float(jnp.asarray(video))
        shape = (len(video), self.frames, self.size, self.size, video.shape[-1])
        small = jax.image.resize(x, shape, "linear", antialias=True)
        return np.asarray(small, np.float64).reshape(len(video), -1)
