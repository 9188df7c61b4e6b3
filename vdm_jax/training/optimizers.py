"""How parameters follow their gradients."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from vdm_jax.types import Params


@dataclasses.dataclass(frozen=True)
class Constant:
    """The rate stays at its peak."""

    def __call__(self, progress: Array) -> Array:
        return jnp.ones_like(progress)


@dataclasses.dataclass(frozen=True)
class Cosine:
    """The rate falls as `(1 + cos(pi progress)) / 2` to `floor` of its peak. (Loshchilov 2017)"""

    floor: float = 0.0

    def __call__(self, progress: Array) -> Array:
        return self.floor + (1 - self.floor) * 0.5 * (1 + jnp.cos(jnp.pi * progress))


@dataclasses.dataclass(frozen=True)
class Linear:
    """The rate falls linearly to zero. (Salimans & Ho 2022: distillation)"""

    def __call__(self, progress: Array) -> Array:
        return 1 - progress


@dataclasses.dataclass(frozen=True)
class Adam:
    """Adam with a linear warm-up, a decay, clipping by global norm, and an average of the weights.

    peak: the learning rate after `warmup` steps; `decay` shapes what follows.
    clip: the largest global norm of a gradient. weight_decay: decoupled (AdamW).
    ema: decay of the averaged parameters, which sampling and evaluation use; 0 is the last ones.
    accumulate: parts that each batch is cut into, one after the other, to save memory.
    """

    peak: float = 1e-4
    warmup: int = 1000
    decay: Callable[[Array], Array] = Constant()
    b1: float = 0.9
    b2: float = 0.99
    eps: float = 1e-8
    weight_decay: float = 0.0
    clip: float = 1.0
    ema: float = 0.9999
    accumulate: int = 1

    def rate(self, step: Array, steps: Array | int) -> Array:
        """The learning rate of a step, counted from 0, of `steps`."""
        step = jnp.asarray(step, jnp.float32)
        warm = jnp.minimum(1.0, (step + 1) / max(self.warmup, 1))
        progress = jnp.clip((step - self.warmup) / jnp.maximum(steps - self.warmup, 1), 0, 1)
        return self.peak * warm * self.decay(progress)

    def transform(self, steps: Array | int) -> optax.GradientTransformation:
        """The gradient transformation of a run of `steps` steps."""
        return optax.chain(
            optax.clip_by_global_norm(self.clip),
            optax.adamw(
                lambda step: self.rate(jnp.asarray(step), steps),
                self.b1,
                self.b2,
                self.eps,
                weight_decay=self.weight_decay,
            ),
        )

    def average(self, ema: Params, params: Params, step: Array) -> Params:
        """The bias-corrected moving average after `step + 1` updates.

        `ema_k = sum_i d^(k-i) params_i / sum_i d^(k-i)`, kept as a running mean; after the first
        update it is the parameters themselves. (Kingma & Ba 2015, section 3)
        """
        d, k = self.ema, jnp.asarray(step, jnp.float32)
        old = d * (1 - d**k) / (1 - d ** (k + 1))
        return jax.tree.map(lambda m, p: m * old + p * (1 - old), ema, params)
