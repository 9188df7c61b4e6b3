"""How parameters follow their gradients."""

import dataclasses
from collections.abc import Callable
from typing import Any

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

    def transform(self, steps: Array | int, norm: Array | float) -> optax.GradientTransformation:
        """The gradient transformation of a run of `steps` steps, of each array by itself.

        norm: that of the gradients of all arrays together, by which they are clipped.
        """
        return optax.chain(
            optax.stateless_with_tree_map(
                lambda g, _: jnp.where(norm < self.clip, g, g / norm * self.clip)
            ),
            optax.adamw(
                lambda step: self.rate(jnp.asarray(step), steps),
                self.b1,
                self.b2,
                self.eps,
                weight_decay=self.weight_decay,
            ),
        )

    def init(self, params: Params) -> optax.OptState:
        """What it remembers of the gradients before there were any."""
        return self.transform(steps=1, norm=0.0).init(params)

    def average(self, ema: Params, params: Params, step: Array) -> Params:
        """The bias-corrected moving average after `step + 1` updates.

        `ema_k = sum_i d^(k-i) params_i / sum_i d^(k-i)`, kept as a running mean; after the first
        update it is the parameters themselves. (Kingma & Ba 2015, section 3)
        """
        d, k = self.ema, jnp.asarray(step, jnp.float32)
        old = d * (1 - d**k) / (1 - d ** (k + 1))
        return jax.tree.map(lambda m, p: m * old + p * (1 - old), ema, params)


def leafwise(rule: Callable[[Array, Any], Any], grads: Params, kept: Any) -> Any:
    """`rule(gradient, kept)` of each array by itself, traced once for all arrays of one shape.

    kept: arrays in trees, of which those with the form of `grads` have one for each gradient, and
      the others are the same for all, before and after. Each call is given, and gives, a tree of
      the same form with its own array in place of each tree that is like `grads`.
    """
    rule = jax.jit(rule)
    gradients, form = jax.tree.flatten(grads)

    def of_each(tree):
        return jax.tree.structure(tree) == form

    trees, around = jax.tree.flatten(kept, is_leaf=of_each)
    columns = [jax.tree.leaves(x) if of_each(x) else [x] * len(gradients) for x in trees]
    rows = zip(gradients, zip(*columns, strict=True), strict=True)
    found = [around.flatten_up_to(rule(g, around.unflatten(own))) for g, own in rows]
    return around.unflatten(
        form.unflatten(column) if of_each(x) else column[0]
        for x, column in zip(trees, zip(*found, strict=True), strict=True)
    )
