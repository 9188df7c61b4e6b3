"""CLIP's image encoder: frames to vectors, in the space that they share with texts.

(Radford et al. 2021, arXiv 2103.00020, section 2.4; Dosovitskiy et al. 2020, arXiv 2010.11929)
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdm_jax.nn import GELU, Activation, EncoderBlock, QuickGELU, dense, layer_norm


class ClipImage(nn.Module):
    """The image encoder of a CLIP, called as `frames -> vectors`.

    Frames are `size` pixels high and wide, of R, G, B in 0..1 of which the means (0.48145466,
    0.4578275, 0.40821073) were taken and that were then divided by the standard deviations
    (0.26862954, 0.26130258, 0.27577711). The vectors have no particular length.

    patch: pixels on a side of what one token sees. projection: features of a vector.
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
        """Of OpenAI's CLIP ViT-B/32."""
        return cls(768, layers=12, heads=12, patch=32, projection=512)

    @classmethod
    def vit_b16(cls) -> "ClipImage":
        """Of OpenAI's CLIP ViT-B/16."""
        return cls(768, layers=12, heads=12, patch=16, projection=512)

    @classmethod
    def vit_l14(cls) -> "ClipImage":
        """Of OpenAI's CLIP ViT-L/14."""
        return cls(1024, layers=24, heads=16, patch=14, projection=768)

    @classmethod
    def open_clip_h(cls) -> "ClipImage":
        """Of OpenCLIP's ViT-H/14."""
        return cls(1280, layers=32, heads=16, patch=14, projection=1024, activation=GELU())

    @nn.compact
    def __call__(self, frames: Float[Array, "*b h w 3"]) -> Float[Array, "*b p"]:
        if frames.shape[-3:-1] != (self.size, self.size):
            raise ValueError(
                f"this CLIP sees frames of {self.size} x {self.size} pixels, not "
                f"{frames.shape[-3]} x {frames.shape[-2]}; resize and crop them"
            )
        side = (self.patch, self.patch)
        pictures = frames.reshape(-1, *frames.shape[-3:])
        patches = nn.Conv(self.features, side, side, "VALID", use_bias=False, name="patches")
        h = patches(pictures)
        h = h.reshape(len(pictures), -1, self.features)
        small = nn.initializers.normal(0.02)
        start = self.param("class", small, (self.features,)).astype(h.dtype)
        start = jnp.broadcast_to(start[None, None], (len(pictures), 1, self.features))
        places = self.param("places", small, (h.shape[1] + 1, self.features))
        h = jnp.concatenate([start, h], axis=1) + places[None].astype(h.dtype)

        h = layer_norm("norm_before")(h)
        for i in range(self.layers):
            h = EncoderBlock(self.heads, self.activation, name=f"block_{i}")(h)
        vectors = layer_norm("norm_after")(h[:, 0])
        vectors = dense(self.projection, bias=False, name="projection")(vectors)
        return vectors.reshape(*frames.shape[:-3], self.projection)
