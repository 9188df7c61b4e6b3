"""Where a token stands relative to another."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float


class RelativePositions(nn.Module):
    """A learned key for every signed distance between two frames, shared by heads.

    `a_ij = table[clip(j - i, -reach, reach)]`, added to the key of frame j as frame i sees it;
    nothing depends on absolute time. (Shaw et al. 2018, eq. 4, without the value term)
    """

    reach: int = 16

    @nn.compact
    def __call__(self, frames: int, features: int) -> Float[Array, "f f d"]:
        table = self.param(
            "table", nn.initializers.normal(features**-0.5), (2 * self.reach + 1, features)
        )
        distance = jnp.arange(frames)[None, :] - jnp.arange(frames)[:, None]
        return table[jnp.clip(distance, -self.reach, self.reach) + self.reach]
