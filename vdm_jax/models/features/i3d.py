"""I3D, the network of FVD: Inception-v1 with kernels over time.

(Carreira & Zisserman 2017, arXiv 1705.07750, figure 3; Unterthiner et al. 2018, arXiv 1812.01717)
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdm_jax.models.features.space_time import EXACT, average_pool, convolve, max_pool
from vdm_jax.nn import BatchNorm

MIXED = {
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}
"""Widths of b0; b1a, b1b; b2a, b2b; b3."""
POOLS = {"4b": (3, 3, 3), "5b": (2, 2, 2)}
"""Windows of the pools before a block, with stride 2."""


class Unit(nn.Module):
    """A convolution without bias, a batch norm and a ReLU.

    width: channels of the output.
    norm: the template of the batch norm.
    side: of the kernel, along all three axes.
    stride: along all three axes.
    """

    width: int
    norm: BatchNorm
    side: int = 1
    stride: int = 1

    @nn.compact
    def __call__(self, x: Float[Array, "b f h w c"]) -> Float[Array, "b g u v d"]:
        shape = (self.side, self.side, self.side, x.shape[-1], self.width)
        kernel = self.param("kernel", nn.initializers.he_normal(), shape)
        norm = self.norm.clone(parent=self, name="norm")
        return nn.relu(norm(convolve(x, kernel, self.stride)))


class Mixed(nn.Module):
    """Four concatenated branches, with kernels 1; 1 then 3; 1 then 3; a pool then 1."""

    widths: tuple[int, int, int, int, int, int]
    norm: BatchNorm

    @nn.compact
    def __call__(self, x: Float[Array, "b f h w c"]) -> Float[Array, "b f h w d"]:
        def unit(name: str, width: int, h: Array, side: int = 1) -> Array:
            return Unit(width, self.norm, side, name=f"branch_{name}")(h)

        b0, b1a, b1b, b2a, b2b, b3 = self.widths
        branches = (
            unit("0", b0, x),
            unit("1b", b1b, unit("1a", b1a, x), 3),
            unit("2b", b2b, unit("2a", b2a, x), 3),
            unit("3", b3, max_pool(x, (3, 3, 3), (1, 1, 1))),
        )
        return jnp.concatenate(branches, axis=-1)


class I3D(nn.Module):
    """Clips to the logits of actions, the features of FVD: `[b f 224 224 3] -> [b 400]`.

    Values are in [-1, 1]. The logits are averaged over ceil(f / 8) - 1 time steps, so clips of
    different lengths give logits of different distributions.

    classes: of the logits.
    size: pixels on a side; the last pool spans the whole frame, 7 x 7 positions for 224 pixels.
    norm: the template of batch norms. TensorFlow's have no scale and epsilon 0.001; VideoGPT's
      PyTorch port has 0.00001 (`ported`).
    """

    classes: int = 400
    size: int = 224
    norm: BatchNorm = BatchNorm(1e-3, scaled=False)

    @classmethod
    def ported(cls, epsilon: float = 1e-5) -> "I3D":
        """The PyTorch ports: batch norms with a scale and their own epsilon."""
        return cls(norm=BatchNorm(epsilon))

    @nn.compact
    def __call__(self, video: Float[Array, "b f h w 3"]) -> Float[Array, "b d"]:
        _, frames, *size, _ = video.shape
        if frames < 9:
            raise ValueError(f"I3D takes at least 9 frames, not {frames}; give it longer clips")
        if size != [self.size, self.size]:
            raise ValueError(
                f"I3D takes frames of {self.size} x {self.size} pixels, not {size[0]} x {size[1]}; "
                "resize them first"
            )
        h = Unit(64, self.norm, 7, 2, name="convolution_1a")(video)
        h = max_pool(h, (1, 3, 3), (1, 2, 2))
        h = Unit(64, self.norm, name="convolution_2b")(h)
        h = Unit(192, self.norm, 3, name="convolution_2c")(h)
        h = max_pool(h, (1, 3, 3), (1, 2, 2))
        for name, widths in MIXED.items():
            if name in POOLS:
                h = max_pool(h, POOLS[name], (2, 2, 2))
            h = Mixed(widths, self.norm, name=f"mixed_{name}")(h)
        h = average_pool(h, (2, h.shape[2], h.shape[3]))
        logits = nn.Dense(self.classes, precision=EXACT, name="logits")(h)
        return logits.mean(axis=(1, 2, 3))
