"""Learning-rate schedules, and Adam with an average of the parameters."""

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
    """The learning rate stays at its peak."""

    def __call__(self, progress: Array) -> Array:
        return jnp.ones_like(progress)


@dataclasses.dataclass(frozen=True)
class Cosine:
    """The learning rate decays as `(1 + cos(pi progress)) / 2` to `floor` times its peak.

    (Loshchilov & Hutter 2017, eq. 5)
    """

    floor: float = 0.0

    def __call__(self, progress: Array) -> Array:
        return self.floor + (1 - self.floor) * 0.5 * (1 + jnp.cos(jnp.pi * progress))


@dataclasses.dataclass(frozen=True)
class Linear:
    """The learning rate decays linearly to zero, as in Salimans & Ho 2022 for distillation."""

    def __call__(self, progress: Array) -> Array:
        return 1 - progress


@dataclasses.dataclass(frozen=True)
class Adam:
    """Adam with warm-up, decay, clipping by global norm, and an average of the parameters.

    peak: the learning rate after warm-up.
    warmup: steps of linear warm-up.
    decay: progress after warm-up, in [0, 1], to a fraction of `peak`.
    b1, b2: decay rates of the first and second moments.
    eps: added to the denominator.
    weight_decay: decoupled from the gradient (AdamW).
    clip: the largest global norm of a gradient.
    ema: decay rate of the averaged parameters, which sampling and evaluation use; 0 gives the
      parameters of the last step.
    accumulate: micro-batches that each batch is split into, one after the other, to save memory.
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
        """The learning rate of step `step`, from 0, in a run of `steps` steps."""
        step = jnp.asarray(step, jnp.float32)
        warm = jnp.minimum(1.0, (step + 1) / max(self.warmup, 1))
        progress = jnp.clip((step - self.warmup) / jnp.maximum(steps - self.warmup, 1), 0, 1)
        return self.peak * warm * self.decay(progress)

    def transform(self, steps: Array | int, norm: Array | float) -> optax.GradientTransformation:
        """The gradient transformation of a run of `steps` steps, applied to one array at a time.

        norm: the global norm of the gradients, by which they are clipped.
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
        """The optimizer's state before the first step."""
        return self.transform(steps=1, norm=0.0).init(params)

    def average(self, ema: Params, params: Params, step: Array) -> Params:
        """The bias-corrected moving average after `step + 1` updates.

        `ema_k = sum_i d^(k-i) params_i / sum_i d^(k-i)`, stored as a running mean; after the
        first update it equals the parameters. (Kingma & Ba 2015, section 3)
        """
        d, k = self.ema, jnp.asarray(step, jnp.float32)
        old = d * (1 - d**k) / (1 - d ** (k + 1))
        return jax.tree.map(lambda m, p: m * old + p * (1 - old), ema, params)


def leafwise(rule: Callable[[Array, Any], Any], grads: Params, trees: Any) -> Any:
    """`rule(gradient, values)` of each array separately, traced once per array shape.

    trees: a tree whose subtrees with the structure of `grads` hold one value per gradient; its
      other leaves are common to all gradients, and `rule` leaves them unchanged or changes them
      alike. `rule` takes and returns the tree with one array in place of each such subtree.
    """
    rule = jax.jit(rule)
    gradients, structure = jax.tree.flatten(grads)

    def per_gradient(tree):
        return jax.tree.structure(tree) == structure

    subtrees, outer = jax.tree.flatten(trees, is_leaf=per_gradient)
    columns = [jax.tree.leaves(x) if per_gradient(x) else [x] * len(gradients) for x in subtrees]
    rows = zip(gradients, zip(*columns, strict=True), strict=True)
    results = [outer.flatten_up_to(rule(g, outer.unflatten(row))) for g, row in rows]
    return outer.unflatten(
        structure.unflatten(column) if per_gradient(x) else column[0]
        for x, column in zip(subtrees, zip(*results, strict=True), strict=True)
    )
