"""A small text encoder that is trained with the network, for experiments without weights."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from vdm_jax.nn import sinusoids


class WordEncoder(nn.Module):
    """`table[token] + sinusoids(l)`: a learned vector per token, plus its position.

    vocabulary: how many tokens there are.
    features: of an embedding.
    """

    vocabulary: int
    features: int = 128

    @nn.compact
    def __call__(
        self, tokens: Int[Array, "*b l"], mask: Bool[Array, "*b l"] | None
    ) -> Float[Array, "*b l d"]:
        unit = nn.initializers.normal(1.0)  # as large as the sinusoids
        words = nn.Embed(self.vocabulary, self.features, embedding_init=unit, name="words")(tokens)
        position = sinusoids(jnp.arange(tokens.shape[-1]), self.features).astype(words.dtype)
        return words + position.reshape((1,) * (words.ndim - 2) + position.shape)
