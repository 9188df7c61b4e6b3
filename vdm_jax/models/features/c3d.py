"""C3D, the network of the inception score of videos: eight 3D convolutions.

(Tran et al. 2015, arXiv 1412.0767, figure 3; Saito et al. 2017, arXiv 1611.06624, section 6.2)
"""

from typing import NamedTuple

import flax.linen as nn
from jaxtyping import Array, Float

from vdm_jax.models.features.space_time import EXACT, convolve, max_pool

LEVELS = (("1a",), ("2a",), ("3a", "3b"), ("4a", "4b"), ("5a", "5b"))
"""The convolutions before each pool, by name."""


class C3DOutputs(NamedTuple):
    """Features of the penultimate layer, after its ReLU, and the logits of actions."""

    fc7: Float[Array, "b e"]
    logits: Float[Array, "b d"]


class C3D(nn.Module):
    """`[b 16 112 112 3]` to 4096 features and the logits of UCF-101's classes.

    Values are 0..255 minus the mean clip of Sports-1M, channels in the order B, G, R.

    classes: of the logits.
    width: channels of the first level; they double up to eight times as many.
    hidden: features of the two layers before the logits.
    """

    classes: int = 101
    width: int = 64
    hidden: int = 4096

    @nn.compact
    def __call__(self, video: Float[Array, "b 16 112 112 3"]) -> C3DOutputs:
        if video.shape[1:4] != (16, 112, 112):
            frames, height, width = video.shape[1:4]
            raise ValueError(
                f"C3D takes 16 frames of 112 x 112 pixels, not {frames} of {height} x {width}; "
                "choose frames and resize them first"
            )
        h = video
        for level, names in enumerate(LEVELS):
            width = self.width * min(2**level, 8)
            for name in names:
                h = Convolution(width, name=f"convolution_{name}")(h)
            h = max_pool(h, *((2 if level else 1, 2, 2),) * 2)  # also incomplete windows
        h = h.reshape(len(h), -1)
        fc6 = nn.relu(nn.Dense(self.hidden, precision=EXACT, name="fc6")(h))
        fc7 = nn.relu(nn.Dense(self.hidden, precision=EXACT, name="fc7")(fc6))
        return C3DOutputs(fc7, nn.Dense(self.classes, precision=EXACT, name="fc8")(fc7))


class Convolution(nn.Module):
    """A 3 x 3 x 3 convolution with bias, then a ReLU."""

    width: int

    @nn.compact
    def __call__(self, h: Float[Array, "b f h w c"]) -> Float[Array, "b f h w d"]:
        shape = (3, 3, 3, h.shape[-1], self.width)
        kernel = self.param("kernel", nn.initializers.he_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros, (self.width,))
        return nn.relu(convolve(h, kernel) + bias.reshape(1, 1, 1, 1, -1))
