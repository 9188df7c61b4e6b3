"""A network that works on squares of pixels."""

import flax.linen as nn
from jaxtyping import Array, Float

from vdm_jax.models.conditioning import Conditioning
from vdm_jax.nn import depth_to_space, space_to_depth


class Patched(nn.Module):
    """`network` on `patch x patch` squares of pixels as channels: `patch^2` times less to compute.

    (Hoogeboom et al. 2023, section 3: downsampling by space-to-depth)
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
    ) -> Float[Array, "b f h w c"]:
        if z.shape[2] % self.patch or z.shape[3] % self.patch:
            raise ValueError(f"a {z.shape[2]}x{z.shape[3]} frame has no {self.patch}-pixel patches")
        output = self.network(space_to_depth(z, self.patch), logsnr, cond, train=train)
        return depth_to_space(output, self.patch)
