"""CLIP's text encoder: tokens to embeddings, by a transformer that reads from left to right.

(Radford et al. 2021, arXiv 2103.00020, section 2.4; the larger ones are OpenCLIP's)
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from vdm_jax.nn import GELU, Activation, EncoderBlock, QuickGELU, dense, layer_norm


class ClipText(nn.Module):
    """The text encoder of a CLIP, called as `(tokens, mask) -> embeddings`.

    A token reads those before it, and with a mask only the real ones among them. Without a mask
    padding is read like any token, as Stable Diffusion has it.

    features: of an embedding. unread: how many of the last layers the embeddings are taken before;
    1 for the penultimate layer (OpenCLIP in Stable Diffusion 2). The last norm follows them all.
    projection: features of the one vector that `pooled` makes of a text.
    """

    features: int
    layers: int
    heads: int
    activation: Activation = QuickGELU()
    projection: int | None = None
    unread: int = 0
    vocabulary: int = 49408
    length: int = 77

    @classmethod
    def vit_b32(cls) -> "ClipText":
        """Of OpenAI's CLIP ViT-B/32."""
        return cls(512, layers=12, heads=8, projection=512)

    @classmethod
    def vit_b16(cls) -> "ClipText":
        """Of OpenAI's CLIP ViT-B/16, of the size of B/32's."""
        return cls.vit_b32()

    @classmethod
    def vit_l14(cls) -> "ClipText":
        """Of OpenAI's CLIP ViT-L/14; `clone(projection=None)` is that of Stable Diffusion 1."""
        return cls(768, layers=12, heads=12, projection=768)

    @classmethod
    def open_clip_h(cls) -> "ClipText":
        """Of OpenCLIP's ViT-H/14; `clone(layers=23, projection=None)` is Stable Diffusion 2's."""
        return cls(1024, layers=24, heads=16, activation=GELU(), projection=1024)

    @nn.compact
    def encode(
        self, tokens: Int[Array, "*b l"], mask: Bool[Array, "*b l"] | None = None
    ) -> tuple[Float[Array, "*b l d"], Float[Array, "*b p"]]:
        """The embeddings of all tokens, and the vector of the text: its end token's, projected."""
        length = tokens.shape[-1]
        if length > self.length:
            raise ValueError(f"CLIP reads {self.length} tokens, not {length}; cut the captions")
        rows = tokens.reshape(-1, length)
        small = nn.initializers.normal(0.02)
        words = nn.Embed(self.vocabulary, self.features, embedding_init=small, name="words")
        places = self.param("places", nn.initializers.normal(0.01), (self.length, self.features))
        h = words(rows) + places[None, :length].astype(words.embedding.dtype)

        past = jnp.tril(jnp.ones((length, length), bool))[None, None]
        if mask is not None:
            past = past & mask.reshape(-1, 1, 1, length)
        outputs = [h]
        for i in range(self.layers):
            block = EncoderBlock(self.heads, self.activation, name=f"block_{i}")
            outputs.append(block(outputs[-1], past))

        norm = layer_norm("norm")
        text = norm(outputs[self.layers - self.unread])
        end = jnp.argmax(rows, axis=-1)  # the end token has the highest number
        pooled = norm(outputs[-1])[jnp.arange(len(rows)), end]
        if self.projection is not None:
            pooled = dense(self.projection, bias=False, name="projection")(pooled)
        leading = tokens.shape[:-1]
        return text.reshape(*tokens.shape, -1), pooled.reshape(*leading, -1)

    def __call__(
        self, tokens: Int[Array, "*b l"], mask: Bool[Array, "*b l"] | None = None
    ) -> Float[Array, "*b l d"]:
        return self.encode(tokens, mask)[0]

    def pooled(
        self, tokens: Int[Array, "*b l"], mask: Bool[Array, "*b l"] | None = None
    ) -> Float[Array, "*b p"]:
        """One vector for a text, in the space that CLIP shares with images."""
        return self.encode(tokens, mask)[1]
