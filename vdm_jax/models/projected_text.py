"""A network that reads captions of fewer features than its text encoder gives."""

import dataclasses

import flax.linen as nn
from jaxtyping import Array, Float

from vdm_jax.models.conditioning import Conditioning
from vdm_jax.nn import dense


class ProjectedText(nn.Module):
    """`network` on `W text + b`: each token brought to `features`, once for all layers that read.

    Keys and values of every layer are then products with `features` numbers of a token and not with
    those of the encoder, 4096 of T5-XXL, for each of the captions of a row.
    """

    network: nn.Module
    features: int = 1024

    @nn.compact
    def __call__(
        self,
        z: Float[Array, "b f h w c"],
        logsnr: Float[Array, "b *f"],
        cond: Conditioning = Conditioning(),
        *,
        train: bool = False,
    ) -> Float[Array, "b f h w c"]:
        if cond.text is not None:
            cond = dataclasses.replace(cond, text=dense(self.features, name="text")(cond.text))
        return self.network(z, logsnr, cond, train=train)
