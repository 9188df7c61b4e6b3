"""A network on patches of pixels."""

import flax.linen as nn
from jaxtyping import Array, Float

from vdm_jax.models.conditioning import Conditioning
from vdm_jax.nn import depth_to_space, space_to_depth


class Patched(nn.Module):
    """`network` on `patch x patch` squares of pixels as channels, at `1 / patch^2` of the cost.

    (Hoogeboom et al. 2023, section 3: downsampling by space-to-depth)

    network: its input and output have `patch^2` times the channels.
    patch: pixels on a side.
    """

    network: nn.Module
    patch: int = 2

    @nn.compact
    def __call__(
        self,
        z: Float[Array, "b f h w c"],
        logsnr: Float[Array, "b *f"],
        cond: Conditioning = Conditioning(),
        *,
        train: bool = False,
    ) -> Float[Array, "b f h w _"]:
        if z.shape[2] % self.patch or z.shape[3] % self.patch:
            raise ValueError(
                f"a frame of {z.shape[2]}x{z.shape[3]} pixels does not divide into patches of "
                f"{self.patch}x{self.patch}; choose a size divisible by {self.patch}"
            )
        output = self.network(space_to_depth(z, self.patch), logsnr, cond, train=train)
        return depth_to_space(output, self.patch)
