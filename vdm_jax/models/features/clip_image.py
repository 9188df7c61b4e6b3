"""CLIP's image encoder: a vision transformer from frames to vectors.

(Radford et al. 2021, arXiv 2103.00020, section 2.4; Dosovitskiy et al. 2020, arXiv 2010.11929)
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdm_jax.nn import GELU, Activation, EncoderBlock, QuickGELU, dense, layer_norm


class ClipImage(nn.Module):
    """The image encoder of a CLIP, called as `frames -> vectors`; vectors are not normalized.

    Values are R, G, B in 0..1, minus the means (0.48145466, 0.4578275, 0.40821073), divided by the
    standard deviations (0.26862954, 0.26130258, 0.27577711).

    features: of a token.
    layers: of the transformer.
    heads: of the attention.
    patch: pixels on a side of a token.
    projection: features of a vector.
    activation: of the feed-forward layers.
    size: pixels on a side of a frame.
    """

    features: int
    layers: int
    heads: int
    patch: int
    projection: int
    activation: Activation = QuickGELU()
    size: int = 224

    @classmethod
    def vit_b32(cls) -> "ClipImage":
        """OpenAI's CLIP ViT-B/32."""
        return cls(768, layers=12, heads=12, patch=32, projection=512)

    @classmethod
    def vit_b16(cls) -> "ClipImage":
        """OpenAI's CLIP ViT-B/16."""
        return cls(768, layers=12, heads=12, patch=16, projection=512)

    @classmethod
    def vit_l14(cls) -> "ClipImage":
        """OpenAI's CLIP ViT-L/14."""
        return cls(1024, layers=24, heads=16, patch=14, projection=768)

    @classmethod
    def open_clip_h(cls) -> "ClipImage":
        """OpenCLIP's ViT-H/14."""
        return cls(1280, layers=32, heads=16, patch=14, projection=1024, activation=GELU())

    @nn.compact
    def __call__(self, frames: Float[Array, "*b h w 3"]) -> Float[Array, "*b p"]:
        if frames.shape[-3:-1] != (self.size, self.size):
            raise ValueError(
                f"this CLIP takes frames of {self.size} x {self.size} pixels, not "
                f"{frames.shape[-3]} x {frames.shape[-2]}; resize and crop them"
            )
        side = (self.patch, self.patch)
        images = frames.reshape(-1, *frames.shape[-3:])
        patches = nn.Conv(self.features, side, side, "VALID", use_bias=False, name="patches")
        h = patches(images)
        h = h.reshape(len(images), -1, self.features)
        small = nn.initializers.normal(0.02)
        token = self.param("class", small, (self.features,)).astype(h.dtype)
        token = jnp.broadcast_to(token[None, None], (len(images), 1, self.features))
        positions = self.param("places", small, (h.shape[1] + 1, self.features))
        h = jnp.concatenate([token, h], axis=1) + positions[None].astype(h.dtype)

        h = layer_norm("norm_before")(h)
        for i in range(self.layers):
            h = EncoderBlock(self.heads, self.activation, name=f"block_{i}")(h)
        vectors = layer_norm("norm_after")(h[:, 0])
        vectors = dense(self.projection, bias=False, name="projection")(vectors)
        return vectors.reshape(*frames.shape[:-3], self.projection)
