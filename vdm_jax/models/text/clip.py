"""CLIP's text encoder: a causal transformer from tokens to embeddings.

(Radford et al. 2021, arXiv 2103.00020, section 2.4; the larger ones are OpenCLIP's)
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from vdm_jax.nn import GELU, Activation, EncoderBlock, QuickGELU, dense, layer_norm


class ClipText(nn.Module):
    """The text encoder of a CLIP, called as `(tokens, mask) -> embeddings`.

    A token attends to itself and those before it that the mask allows. Without a mask it attends to
    padding, too, as in Stable Diffusion.

    features: of an embedding.
    layers: of the transformer.
    heads: of the attention.
    activation: of the feed-forward layers.
    projection: features of a text's vector `pooled`; None: it is not projected.
    clip_skip: the last layers that the embeddings do not pass through; 1: those of the penultimate
      layer (OpenCLIP in Stable Diffusion 2). The last norm is applied in any case.
    vocabulary: how many tokens there are.
    length: the most tokens of a text.
    """

    features: int
    layers: int
    heads: int
    activation: Activation = QuickGELU()
    projection: int | None = None
    clip_skip: int = 0
    vocabulary: int = 49408
    length: int = 77

    @classmethod
    def vit_b32(cls) -> "ClipText":
        """OpenAI's CLIP ViT-B/32."""
        return cls(512, layers=12, heads=8, projection=512)

    @classmethod
    def vit_b16(cls) -> "ClipText":
        """OpenAI's CLIP ViT-B/16, of the size of B/32's."""
        return cls.vit_b32()

    @classmethod
    def vit_l14(cls) -> "ClipText":
        """OpenAI's CLIP ViT-L/14; Stable Diffusion 1 has `clone(projection=None)`."""
        return cls(768, layers=12, heads=12, projection=768)

    @classmethod
    def open_clip_h(cls) -> "ClipText":
        """OpenCLIP's ViT-H/14; Stable Diffusion 2 has `clone(layers=23, projection=None)`."""
        return cls(1024, layers=24, heads=16, activation=GELU(), projection=1024)

    @nn.compact
    def encode(
        self, tokens: Int[Array, "*b l"], mask: Bool[Array, "*b l"] | None = None
    ) -> tuple[Float[Array, "*b l d"], Float[Array, "*b p"]]:
        """The embeddings of all tokens, and the text's vector: its end token's, projected.

        Raises:
          ValueError: the text has more than `length` tokens.
        """
        length = tokens.shape[-1]
        if length > self.length:
            raise ValueError(f"CLIP takes {self.length} tokens, not {length}; cut the captions")
        texts = tokens.reshape(-1, length)
        small = nn.initializers.normal(0.02)
        words = nn.Embed(self.vocabulary, self.features, embedding_init=small, name="words")
        places = self.param("places", nn.initializers.normal(0.01), (self.length, self.features))
        h = words(texts) + places[None, :length].astype(words.embedding.dtype)

        causal = jnp.tril(jnp.ones((length, length), bool))[None, None]
        if mask is not None:
            causal = causal & mask.reshape(-1, 1, 1, length)
        outputs = [h]
        for i in range(self.layers):
            block = EncoderBlock(self.heads, self.activation, name=f"block_{i}")
            outputs.append(block(outputs[-1], causal))

        norm = layer_norm("norm")
        text = norm(outputs[self.layers - self.clip_skip])
        end = jnp.argmax(texts, axis=-1)  # the end token has the highest number
        pooled = norm(outputs[-1])[jnp.arange(len(texts)), end]
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
        """One vector per text, in CLIP's joint space of texts and images."""
        return self.encode(tokens, mask)[1]
