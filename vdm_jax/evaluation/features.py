"""What a distribution metric looks at: a clip as one vector."""

from dataclasses import dataclass
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from vdm_jax.data import to_float
from vdm_jax.evaluation.subject import Clips


class Features(Protocol):
    """A frozen dataclass that maps uint8 clips [b f h w c] to features [b d]."""

    @property
    def name(self) -> str:
        """What these features are called in results: a distance without it is no number."""
        ...

    def __call__(self, video: Clips) -> Float[np.ndarray, "b d"]: ...


@dataclass(frozen=True)
class PixelFeatures:
    """The clip itself in [-1, 1], shrunk with antialiasing to frames x size x size and flattened.

    A self-contained yardstick for runs of one project. It sees layout, colour and coarse motion,
    no texture, and its distances are comparable with **no published number**: those look through
    I3D or Inception.
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
