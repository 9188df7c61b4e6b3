"""What is known of a video before it is sampled: a linear map of it, and the map's value."""

from dataclasses import dataclass
from typing import Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from vdm_jax.diffusion.marginals import expand
from vdm_jax.types import Video


class Measurement(Protocol):
    """A linear map A of a video, and the `value` y = A x that it has for the video wanted."""

    @property
    def value(self) -> Array: ...
    def __call__(self, x: Video) -> Array: ...


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class KnownPixels:
    """Pixels that are known: `x` where `mask` is True. What `x` holds elsewhere does not matter.

    The mask is [b f], or [1 f] for all rows alike, or has more of the video's axes.
    """

    x: Video
    mask: Bool[Array, "*axes"]

    @property
    def value(self) -> Video:
        """The known pixels, and 0 elsewhere."""
        return self(self.x)

    def __call__(self, x: Video) -> Video:
        """The pixels of another video at the known places, and 0 elsewhere."""
        return jnp.where(self._where, x, 0)

    def put(self, x: Video) -> Video:
        """`x` with what is known in its place."""
        return jnp.where(self._where, self.x, x)

    @property
    def _where(self) -> Array:
        if self.mask.ndim < 2:
            raise ValueError(
                f"Known.mask has shape {self.mask.shape}: give it the axes [b f], "
                "with b = 1 where all rows are alike"
            )
        return expand(self.mask, self.x)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LowResolution:
    """The video at a lower resolution: `x` [b f h' w' c] in the frames where `mask` [b f] is True.

    A is resizing by a triangle filter as wide as the step between pixels, which is antialiased,
    linear and differentiable.
    """

    x: Float[Array, "b f h w c"]
    mask: Bool[Array, "b f"]

    @property
    def value(self) -> Video:
        """The known small frames, and 0 elsewhere."""
        return jnp.where(expand(self.mask, self.x), self.x, 0)

    def __call__(self, x: Video) -> Video:
        """Another video made as small, in the same frames, and 0 elsewhere."""
        shape = (*x.shape[:2], *self.x.shape[2:4], x.shape[4])
        small = jax.image.resize(x, shape, "linear", antialias=True)
        return jnp.where(expand(self.mask, small), small, 0)
