"""LPIPS: a perceptual distance of two frames, fitted to human judgements.

(Zhang et al. 2018, arXiv 1801.03924)
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdm_jax.models.features.trunks import VGG16, AlexNet, SqueezeNet


class LpipsHeads(nn.Module):
    """`sum_l mean_hw(w_l . d_l)` of squared differences d_l, with learned channel weights w_l."""

    @nn.compact
    def __call__(self, *differences: Float[Array, "n _ _ _"]) -> Float[Array, "n"]:
        total = jnp.zeros(len(differences[0]), jnp.float32)
        for i, difference in enumerate(differences):
            channels = difference.shape[-1]
            weight = self.param(f"head_{i}", nn.initializers.constant(1 / channels), (channels,))
            total = total + difference.mean(axis=(1, 2)) @ weight.astype(difference.dtype)
        return total


class Lpips(nn.Module):
    """The distance of pairs of frames in [-1, 1], called as `(a, b) -> distance`.

    `sum_l mean_hw sum_c w_lc (a_lc - b_lc)^2` of the trunk's features a and b, normalized at every
    position. (Zhang et al. 2018, eq. 1) The parameters of `trunk` and `heads` are published in
    separate files.

    trunk: the network of the features.
    shift: the trunk's input is `(frame - shift) / scale`.
    scale: see `shift`.
    """

    trunk: AlexNet | VGG16 | SqueezeNet
    shift: tuple[float, float, float] = (-0.030, -0.088, -0.188)
    scale: tuple[float, float, float] = (0.458, 0.448, 0.450)

    @classmethod
    def version_0(cls, trunk: AlexNet | VGG16 | SqueezeNet) -> "Lpips":
        """Version 0.0, without shift and scale and with other heads than version 0.1."""
        return cls(trunk, shift=(0.0, 0.0, 0.0), scale=(1.0, 1.0, 1.0))

    @nn.compact
    def __call__(self, a: Float[Array, "n h w 3"], b: Float[Array, "n h w 3"]) -> Float[Array, "n"]:
        if a.shape != b.shape:
            raise ValueError(
                f"LPIPS takes frames of one shape, not {a.shape} and {b.shape}; resize them"
            )
        shift, scale = (
            jnp.asarray(s, a.dtype).reshape(1, 1, 1, 3) for s in (self.shift, self.scale)
        )
        maps = self.trunk((jnp.concatenate([a, b]) - shift) / scale)
        pairs = [jnp.split(_normalize(h), 2) for h in maps]
        return LpipsHeads(name="heads")(*(jnp.square(x - y) for x, y in pairs))


def _normalize(h: Float[Array, "n i j c"]) -> Float[Array, "n i j c"]:
    """Features divided by their norm at every position."""
    norm = jnp.sqrt(jnp.square(h.astype(jnp.float32)).sum(axis=-1, keepdims=True))
    return h / (norm + 1e-10)
