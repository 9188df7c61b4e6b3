"""LPIPS: how different two frames look, learned from what people said.

(Zhang et al. 2018, arXiv 1801.03924)
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdm_jax.models.features.trunks import VGG16, AlexNet, SqueezeNet


class LpipsHeads(nn.Module):
    """The weights of the channels: `sum_l mean_hw(w_l . d_l)` of squared differences d_l."""

    @nn.compact
    def __call__(self, *differences: Float[Array, "n i j c"]) -> Float[Array, "n"]:
        total = jnp.zeros(len(differences[0]), jnp.float32)
        for i, difference in enumerate(differences):
            channels = difference.shape[-1]
            weight = self.param(f"head_{i}", nn.initializers.constant(1 / channels), (channels,))
            total = total + difference.mean(axis=(1, 2)) @ weight.astype(difference.dtype)
        return total


class Lpips(nn.Module):
    """The distance of pairs of frames in [-1, 1], called as `(a, b) -> distance`.

    `sum_l mean_hw sum_c w_lc (a_lc - b_lc)^2` of the trunk's features, every position's divided by
    their norm. (Zhang et al. 2018, eq. 1)

    shift, scale: what the trunk sees is `(frame - shift) / scale`. Parameters are those of the
    `trunk` and of the `heads`, which are published apart.
    """

    trunk: AlexNet | VGG16 | SqueezeNet
    shift: tuple[float, float, float] = (-0.030, -0.088, -0.188)
    scale: tuple[float, float, float] = (0.458, 0.448, 0.450)

    @classmethod
    def version_0(cls, trunk: AlexNet | VGG16 | SqueezeNet) -> "Lpips":
        """Version 0.0, which forgot the scaling; its heads are others than those of 0.1."""
        return cls(trunk, shift=(0.0, 0.0, 0.0), scale=(1.0, 1.0, 1.0))

    @nn.compact
    def __call__(self, a: Float[Array, "n h w 3"], b: Float[Array, "n h w 3"]) -> Float[Array, "n"]:
        if a.shape != b.shape:
            raise ValueError(f"LPIPS compares frames of one shape, not {a.shape} and {b.shape}")
        shift, scale = (
            jnp.asarray(s, a.dtype).reshape(1, 1, 1, 3) for s in (self.shift, self.scale)
        )
        maps = self.trunk((jnp.concatenate([a, b]) - shift) / scale)
        pairs = [jnp.split(_unit(h), 2) for h in maps]
        return LpipsHeads(name="heads")(*(jnp.square(x - y) for x, y in pairs))


def _unit(h: Float[Array, "n i j c"]) -> Float[Array, "n i j c"]:
    """Every position's features, of norm 1."""
    norm = jnp.sqrt(jnp.square(h.astype(jnp.float32)).sum(axis=-1, keepdims=True))
    return h / (norm + 1e-10)
