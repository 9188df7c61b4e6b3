"""What the backward pass of a network computes again instead of keeping: memory for time."""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import flax.linen as nn
import jax

from vdm_jax.nn.axes import fold, unfold

MOMENTS = "moments"
"""What norms call their statistics: numbers so few, of maps so large, that they always stay."""
CONVOLVED = "convolved"
"""What convolutions call what they give."""


class Keep(Protocol):
    """What stays of a layer that is computed again."""

    @property
    def policy(self) -> Callable[..., Any]: ...


@dataclasses.dataclass(frozen=True)
class Nothing:
    """What goes into it, and the moments: a forward pass more. (Chen et al. 2016)"""

    @property
    def policy(self) -> Callable[..., Any]:
        return jax.checkpoint_policies.save_only_these_names(MOMENTS)


@dataclasses.dataclass(frozen=True)
class Convolutions:
    """What its convolutions in space give, too: all else is computed again, such as norms.

    In a residual block one of the two, an array like its input. For many channels, where a
    convolution takes longer than bringing its output back.
    """

    @property
    def policy(self) -> Callable[..., Any]:
        return jax.checkpoint_policies.save_only_these_names(MOMENTS, CONVOLVED)


@dataclasses.dataclass(frozen=True)
class Products:
    """What its dense layers and the two products of attention give, too.

    What is computed again goes element by element, such as norms and a softmax.
    """

    @property
    def policy(self) -> Callable[..., Any]:
        policies = jax.checkpoint_policies
        return policies.save_from_both_policies(policies.dots_saveable, Convolutions().policy)


class Recompute(Protocol):
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

    def layer(self, module: Any, h: Any, *arrays: Any, **how: Any) -> Any:
        return module(h, *arrays, **how)


@dataclasses.dataclass(frozen=True)
class ByLevel(Never):
    """A part is computed again as a whole: what is between levels stays, and one part at a time."""

    keep: Keep = Nothing()

    def part(self, kind: type[nn.Module]) -> type[nn.Module]:
        return nn.remat(kind, static_argnums=(4,), policy=self.keep.policy)


@dataclasses.dataclass(frozen=True)
class ByLayer(Never):
    """Every residual block and mixer is computed again by itself: what is between them stays.

    For levels of many blocks, of which all would have to be in memory at once.
    """

    keep: Keep = Nothing()

    def layer(self, module: Any, h: Any, *arrays: Any, **how: Any) -> Any:
        rows = h.shape[0]

        def call(module, pictures, *arrays):
            return fold(module(unfold(pictures, rows), *arrays, **how))

        return unfold(nn.remat(call, policy=self.keep.policy)(module, fold(h), *arrays), rows)
