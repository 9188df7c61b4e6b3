"""Logical axis names of activations and kernels, from which `ShardingRules` derive shardings.

Layers call `constrain` and `gather` with the names of an array's axes, as in einops patterns. Both
return the array unchanged unless the program is traced inside `logical_axis_rules(rules)`.

  b f h w c   batch, frames, rows and columns of pixels, channels
  n           the pixels of a frame in a layer over space, which needs all pixels of a frame
  p           the pixels of a frame in a layer over time, which needs all frames of a pixel
  k           heads
  e           features inside a wide layer, between its first and its last linear map
  l d         text tokens, features
  _           anything else
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, runtime_checkable

from jaxtyping import Array, Shaped

Axes = tuple[str, ...]


@runtime_checkable
class ShardingRules(Protocol):
    """Shardings by logical axis names, such as `parallel.MeshRules`."""

    def constrain(self, array: Array, axes: Axes) -> Array:
        """The array with the sharding of its axes' names; its gradient has the same."""
        ...

    def gather(self, kernel: Array, axes: Axes) -> Array:
        """A parameter, all-gathered from its stored sharding to that of the layer that uses it."""
        ...

    def shard_counts(self, shape: tuple[int, ...], axes: Axes) -> tuple[int, ...]:
        """The number of shards along each axis of an array."""
        ...


_RULES: ContextVar[ShardingRules | None] = ContextVar("rules", default=None)


@contextmanager
def logical_axis_rules(rules: ShardingRules | None) -> Iterator[None]:
    """Applies rules to programs traced inside; None applies none. Also a decorator."""
    token = _RULES.set(rules)
    try:
        yield
    finally:
        _RULES.reset(token)


def current_rules() -> ShardingRules | None:
    """The rules of the innermost `logical_axis_rules`."""
    return _RULES.get()


def constrain(array: Shaped[Array, "..."], axes: str) -> Shaped[Array, "..."]:
    """The array with the sharding of its axes' names: `constrain(h, "b f h w c")`."""
    rules = _RULES.get()
    return array if rules is None else rules.constrain(array, _axis_names(array, axes))


def gather(kernel: Shaped[Array, "..."], axes: str) -> Shaped[Array, "..."]:
    """A kernel, all-gathered to the sharding its layer needs: `gather(kernel, "c e")`."""
    rules = _RULES.get()
    return kernel if rules is None else rules.gather(kernel, _axis_names(kernel, axes))


def fold_frames(h: Shaped[Array, "b f ..."]) -> Shaped[Array, "n ..."]:
    """Clips as a batch of frames, without communication: the frames of one device are neighbours.

    Arrays saved for the backward pass or carried through a loop have this shape, that of
    convolutions: with one axis more, XLA for TPUs may choose a layout whose innermost tile holds
    the few batch elements, two or so of the eight it reads at once.
    """
    rules, (b, f, *rest) = _RULES.get(), h.shape
    if rules is None:
        return h.reshape(b * f, *rest)
    s, t = rules.shard_counts((b, f), ("b", "f"))
    h = h.reshape(s, b // s, t, f // t, *rest)
    return h.swapaxes(1, 2).reshape(b * f, *rest)


def unfold_frames(h: Shaped[Array, "n ..."], b: int) -> Shaped[Array, "b f ..."]:
    """The inverse of `fold_frames`, for `b` clips."""
    rules, f, rest = _RULES.get(), h.shape[0] // b, h.shape[1:]
    if rules is None:
        return h.reshape(b, -1, *rest)
    s, t = rules.shard_counts((b, f), ("b", "f"))
    h = h.reshape(s, t, b // s, f // t, *rest)
    return h.swapaxes(1, 2).reshape(b, f, *rest)


def _axis_names(array: Array, axes: str) -> Axes:
    names = tuple(axes.split())
    if len(names) != array.ndim:
        raise ValueError(f"{len(names)} names {axes!r} for the axes of an array {array.shape}")
    return names
