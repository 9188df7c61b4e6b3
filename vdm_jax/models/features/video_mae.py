"""VideoMAE v2's video transformer: clips to vectors that describe their motion.

(Wang et al. 2023, arXiv 2303.16727; as content-debiased FVD uses it: Ge et al. 2024, arXiv
2404.12391, section 4)
"""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vdm_jax.nn import GELU, EncoderBlock, KeysWithoutBias, layer_norm


class VideoMAE(nn.Module):
    """A VideoMAE v2 without its classifier, called as `video -> vectors`: the mean of all tokens.

    Content-debiased FVD gives it R, G, B in 0..1; it was trained on these minus (0.485, 0.456,
    0.406), divided by (0.229, 0.224, 0.225).

    features: of a token.
    layers: of the transformer.
    heads: of the attention.
    inner: features inside a feed-forward layer.
    patch: pixels on a side of a token.
    tubelet: frames of a token.
    frames: of a video.
    size: pixels on a side of a frame.
    epsilon: of the norms; Hugging Face's own conversions of VideoMAE have 1e-12.
    """

    features: int
    layers: int
    heads: int
    inner: int
    patch: int = 16
    tubelet: int = 2
    frames: int = 16
    size: int = 224
    epsilon: float = 1e-6

    @classmethod
    def small(cls) -> "VideoMAE":
        """ViT-S/16, 22 million parameters."""
        return cls(384, layers=12, heads=6, inner=1536)

    @classmethod
    def base(cls) -> "VideoMAE":
        """ViT-B/16, 86 million parameters."""
        return cls(768, layers=12, heads=12, inner=3072)

    @classmethod
    def giant(cls) -> "VideoMAE":
        """ViT-g/14, a billion parameters: that of content-debiased FVD."""
        return cls(1408, layers=40, heads=16, inner=6144, patch=14)

    @nn.compact
    def __call__(self, video: Float[Array, "b f h w 3"]) -> Float[Array, "b d"]:
        if video.shape[1:4] != (self.frames, self.size, self.size):
            raise ValueError(
                f"this VideoMAE takes {self.frames} frames of {self.size} x {self.size} pixels, "
                f"not (frames, height, width) = {video.shape[1:4]}; choose frames and resize them"
            )
        sides = (self.tubelet, self.patch, self.patch)
        h = nn.Conv(self.features, sides, sides, "VALID", name="patches")(video)
        h = h.reshape(len(video), -1, self.features)
        h = h + positions(h.shape[1], self.features).astype(h.dtype)[None]
        for i in range(self.layers):
            block = EncoderBlock(
                self.heads, GELU(), self.inner, self.epsilon, KeysWithoutBias, name=f"block_{i}"
            )
            h = block(h)
        return layer_norm("norm", self.epsilon)(h.mean(axis=1))


def positions(tokens: int, features: int) -> Float[Array, "n d"]:
    """`sin(n / 10000^(2i/d))` as feature 2i and `cos` of the same as feature 2i + 1.

    (Vaswani et al. 2017, section 3.5)
    """
    angles = np.arange(tokens)[:, None] / 10000 ** (np.arange(0, features, 2) / features)[None]
    pairs = np.stack([np.sin(angles), np.cos(angles)], axis=-1)
    return jnp.asarray(pairs.reshape(tokens, features), jnp.float32)
