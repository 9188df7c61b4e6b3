"""Rematerialisation (gradient checkpointing): recompute activations in the backward pass.

It trades time for memory. A `Remat` is the unit that is recomputed, a level or a layer; its
`SavePolicy` selects activations that are stored nevertheless.
"""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, runtime_checkable

import flax.linen as nn
import jax
from jaxtyping import Array, Float, PRNGKeyArray

from vdm_jax.nn.sharding import (
    ShardingRules,
    current_rules,
    fold_frames,
    logical_axis_rules,
    unfold_frames,
)

MOMENTS = "moments"
"""Checkpoint name of the statistics of norms: a few numbers of a large map, so always saved."""
CONVOLVED = "convolved"
"""Checkpoint name of the outputs of convolutions."""


@runtime_checkable
class SavePolicy(Protocol):
    """Which activations of a recomputed layer or level are saved, beside its inputs."""

    @property
    def policy(self) -> Callable[..., Any]:
        """A policy of `jax.checkpoint`."""
        ...


@dataclasses.dataclass(frozen=True)
class SaveNothing:
    """Save norm statistics only; costs one extra forward pass. (Chen et al. 2016)"""

    @property
    def policy(self) -> Callable[..., Any]:
        return jax.checkpoint_policies.save_only_these_names(MOMENTS)


@dataclasses.dataclass(frozen=True)
class SaveConvolutions:
    """Save the outputs of spatial convolutions, too; norms and attention are recomputed.

    A residual block saves the output of one of its two convolutions, an array like its input. For
    many channels, where recomputing a convolution takes longer than reading its output from memory.
    """

    @property
    def policy(self) -> Callable[..., Any]:
        return jax.checkpoint_policies.save_only_these_names(MOMENTS, CONVOLVED)


@dataclasses.dataclass(frozen=True)
class SaveDots:
    """Save the outputs of dense layers and of the two products of attention, too.

    Only elementwise operations, norms and softmax are recomputed.
    """

    @property
    def policy(self) -> Callable[..., Any]:
        policies = jax.checkpoint_policies
        return policies.save_from_both_policies(policies.dots_saveable, SaveConvolutions().policy)


@dataclasses.dataclass(frozen=True)
class RematLevel:
    """Recompute a level as a whole: only activations between levels stay in memory.

    save: which activations inside a level are saved nevertheless.
    """

    save: SavePolicy = SaveNothing()


@dataclasses.dataclass(frozen=True)
class RematLayer:
    """Recompute every residual block and mixer by itself: activations between layers are saved.

    For levels of so many blocks that one level's activations do not fit in memory.

    save: which activations inside a layer are saved nevertheless.
    """

    save: SavePolicy = SaveNothing()


Remat = RematLevel | RematLayer


def remat_level(remat: Remat | None, level: type[nn.Module]) -> type[nn.Module]:
    """The class of modules `(h, emb, cond, train, ...)`, recomputed if `remat` is `RematLevel`."""
    if remat is None or isinstance(remat, RematLayer):
        return level
    return nn.remat(level, static_argnums=(4,), policy=remat.save.policy)


def call_layer(
    remat: Remat | None, layer: nn.Module, h: Float[Array, "b f h w c"], *arrays: Any, train: bool
) -> Float[Array, "b f h w c"]:
    """`layer(h, *arrays, train=train)`, recomputed if `remat` is a `RematLayer`.

    Layers that differ only in their parameters are traced once.
    """
    if layer.is_initializing():
        return layer(h, *arrays, train=train)
    unbound, variables = layer.unbind()
    keys = {"dropout": layer.make_rng("dropout")} if layer.has_rng("dropout") else {}
    return _apply(unbound, remat, train, current_rules(), variables, keys, h, *arrays)


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _apply(
    layer: nn.Module,
    remat: Remat | None,
    train: bool,
    rules: ShardingRules | None,
    variables: Any,
    keys: dict[str, PRNGKeyArray],
    h: Float[Array, "b f h w c"],
    *arrays: Any,
) -> Float[Array, "b f h w c"]:
    apply: Callable[..., Any] = layer.apply
    with logical_axis_rules(rules):
        if not isinstance(remat, RematLayer):
            return apply(variables, h, *arrays, rngs=keys, train=train)
        batch = h.shape[0]

        def of_frames(variables, keys, frames, *arrays):
            h = unfold_frames(frames, batch)
            return fold_frames(apply(variables, h, *arrays, rngs=keys, train=train))

        # What is saved is a batch of frames: see `fold_frames`.
        recomputed = jax.checkpoint(of_frames, policy=remat.save.policy)
        return unfold_frames(recomputed(variables, keys, fold_frames(h), *arrays), batch)
