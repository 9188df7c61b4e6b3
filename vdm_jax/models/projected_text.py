"""A network on projected text embeddings."""

import dataclasses

import flax.linen as nn
from jaxtyping import Array, Float

from vdm_jax.models.conditioning import Conditioning
from vdm_jax.nn import dense


class ProjectedText(nn.Module):
    """`network` on `W text + b`, computed once for all layers.

    The keys and values of every layer are then projections of `features` numbers per token instead
    of the text encoder's, 4096 for T5-XXL.

    features: of a projected token.
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
