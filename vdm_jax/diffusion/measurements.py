"""Measurements of a video: linear maps A with known values y = A x."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from vdm_jax.diffusion.marginals import expand
from vdm_jax.types import Video


@runtime_checkable
class Measurement(Protocol):
    """A linear map A of a video, and `value`, the known y = A x."""

    @property
    def value(self) -> Array: ...
    def __call__(self, x: Video) -> Array: ...


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class KnownPixels:
    """Known pixels of a video.

    x: the video; its values where `mask` is False are not used.
    mask: True where pixels are known, [b f], or [1 f] for all batch elements, or with further axes
      of the video.
    """

    x: Video
    mask: Bool[Array, "*axes"]

    @property
    def value(self) -> Video:
        """The known pixels, and 0 elsewhere."""
        return self(self.x)

    def __call__(self, x: Video) -> Video:
        """A: the pixels of `x` where the mask is True, and 0 elsewhere."""
        return jnp.where(self._full_mask, x, 0)

    def put(self, x: Video) -> Video:
        """`x` with its pixels replaced by the known ones."""
        return jnp.where(self._full_mask, self.x, x)

    @property
    def _full_mask(self) -> Array:
        if self.mask.ndim < 2:
            raise ValueError(
                f"KnownPixels.mask has shape {self.mask.shape}: give it the axes [b f], "
                "with b = 1 for all batch elements"
            )
        return expand(self.mask, self.x)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LowResolution:
    """A low-resolution version of a video.

    A resizes with a triangle filter as wide as the step between the small pixels, which is
    antialiased, linear and differentiable.

    x: the small video, [b f h' w' c].
    mask: True for the frames that are known, [b f].
    """

    x: Float[Array, "b f h w c"]
    mask: Bool[Array, "b f"]

    @property
    def value(self) -> Video:
        """The known small frames, and 0 elsewhere."""
        return jnp.where(expand(self.mask, self.x), self.x, 0)

    def __call__(self, x: Video) -> Float[Array, "b f _ _ c"]:
        """A: `x` resized, in the frames where the mask is True, and 0 elsewhere."""
        shape = (*x.shape[:2], *self.x.shape[2:4], x.shape[4])
        small = jax.image.resize(x, shape, "linear", antialias=True)
        return jnp.where(expand(self.mask, small), small, 0)
