"""What the backward pass of a network computes again instead of keeping: memory for time."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import flax.linen as nn
import jax

from vdm_jax.nn.sharding import (
    ShardingRules,
    current_rules,
    fold_frames,
    logical_axis_rules,
    unfold_frames,
)

MOMENTS = "moments"
"""What norms call their statistics: numbers so few, of maps so large, that they always stay."""
CONVOLVED = "convolved"
"""What convolutions call what they give."""


class SavePolicy(Protocol):
    """What stays of a layer that is computed again."""

    @property
    def policy(self) -> Callable[..., Any]: ...


@dataclasses.dataclass(frozen=True)
class SaveNothing:
    """What goes into it, and the moments: a forward pass more. (Chen et al. 2016)"""

    @property
    def policy(self) -> Callable[..., Any]:
        return jax.checkpoint_policies.save_only_these_names(MOMENTS)


@dataclasses.dataclass(frozen=True)
class SaveConvolutions:
    """What its convolutions in space give, too: all else is computed again, such as norms.

    In a residual block one of the two, an array like its input. For many channels, where a
    convolution takes longer than bringing its output back.
    """

    @property
    def policy(self) -> Callable[..., Any]:
        return jax.checkpoint_policies.save_only_these_names(MOMENTS, CONVOLVED)


@dataclasses.dataclass(frozen=True)
class SaveDots:
    """What its dense layers and the two products of attention give, too.

    What is computed again goes element by element, such as norms and a softmax.
    """

    @property
    def policy(self) -> Callable[..., Any]:
        policies = jax.checkpoint_policies
        return policies.save_from_both_policies(policies.dots_saveable, SaveConvolutions().policy)


class Remat(Protocol):
    """How much is computed again at a time."""

    def part(self, kind: type[nn.Module]) -> type[nn.Module]:
        """The part of a network in one level, called as `(h, emb, cond, train, ...)`."""
        ...

    def layer(self, module: nn.Module, h: Any, *arrays: Any, **how: Any) -> Any:
        """`module(h, *arrays, **how)`, one layer of a part; h is `b f h w c`."""
        ...


@dataclasses.dataclass(frozen=True)
class Never:
    """Everything is kept."""

    def part(self, kind: type[nn.Module]) -> type[nn.Module]:
        return kind

    def layer(self, module: nn.Module, h: Any, *arrays: Any, **how: Any) -> Any:
        """Traced once for all layers that differ in nothing but their parameters."""
        if module.is_initializing():
            return module(h, *arrays, **how)
        alone, variables = module.unbind()
        keys = {"dropout": module.make_rng("dropout")} if module.has_rng("dropout") else {}
        settings = tuple(sorted(how.items()))
        return _layer(alone, self, settings, current_rules(), variables, keys, h, *arrays)

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """`call(variables, keys, h, ...)` of one layer, and what is computed again of it."""
        return call


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _layer(
    module: nn.Module,
    recompute: Never,
    settings: tuple[tuple[str, Any], ...],
    places: ShardingRules | None,
    *arguments: Any,
) -> Any:
    def call(variables, keys, h, *arrays):
        return module.apply(variables, h, *arrays, rngs=keys, **dict(settings))

    with logical_axis_rules(places):
        return recompute.around(call)(*arguments)


@dataclasses.dataclass(frozen=True)
class RematLevel(Never):
    """A part is computed again as a whole: what is between levels stays, and one part at a time."""

    save: SavePolicy = SaveNothing()

    def part(self, kind: type[nn.Module]) -> type[nn.Module]:
        return nn.remat(kind, static_argnums=(4,), policy=self.save.policy)


@dataclasses.dataclass(frozen=True)
class RematLayer(Never):
    """Every residual block and mixer is computed again by itself: what is between them stays.

    For levels of many blocks, of which all would have to be in memory at once.
    """

    save: SavePolicy = SaveNothing()

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def again(variables, keys, h, *arrays):
            rows = h.shape[0]

            def of_pictures(variables, keys, pictures, *arrays):
                return fold_frames(call(variables, keys, unfold_frames(pictures, rows), *arrays))

            found = jax.checkpoint(of_pictures, policy=self.save.policy)
            return unfold_frames(found(variables, keys, fold_frames(h), *arrays), rows)

        return again
