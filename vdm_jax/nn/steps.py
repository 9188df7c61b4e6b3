"""Embedding of a discrete step number, for checkpoints trained on discrete noise levels."""

from typing import Protocol, runtime_checkable

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdm_jax.nn.embeddings import Conditions
from vdm_jax.nn.linear import dense


@runtime_checkable
class Steps(Protocol):
    """The discrete noise levels of a checkpoint, such as `diffusion.DiscreteBetas`."""

    def index(self, logsnr: Array) -> Array:
        """The step number of a log-SNR."""
        ...


class StepNumber(nn.Module):
    """`[cos(k w_i), sin(k w_i)]` of the step number k, `w_i = 10000^(-2i/d)`, and a dense layer.

    (Ho et al. 2020, appendix B; in the order of Rombach et al. 2022)

    steps: gives k.
    features: d.
    """

    steps: Steps
    features: int

    @nn.compact
    def __call__(
        self, logsnr: Float[Array, "b *f"], cond: Conditions, frames: int, width: int
    ) -> Float[Array, "b _ d"]:
        half = self.features // 2
        frequency = jnp.exp(-jnp.log(10_000.0) * jnp.arange(half) / half).reshape(1, 1, half)
        step = self.steps.index(logsnr.reshape(logsnr.shape[0], -1).astype(jnp.float32))
        angle = step[..., None] * frequency
        return dense(width)(jnp.concatenate([jnp.cos(angle), jnp.sin(angle)], axis=-1))
