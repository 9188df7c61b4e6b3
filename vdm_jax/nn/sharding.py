"""Names of the axes of activations and kernels, from which a mesh of devices knows what to split.

A layer says what the axes of an array mean, in the letters of einops patterns; it does not know
what is done about it. Nothing is, unless the program is traced inside `placing(places)`.

  b f h w c   rows of the batch, frames, rows and columns of pixels, channels
  n           the pixels of a frame, which are together: a layer over space
  p           the pixels of a frame, each by itself with all its frames: a layer over time
  k           heads
  e           features inside a wide layer, between its first and its last linear map
  l d         text tokens, features
  _           anything else
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from jaxtyping import Array, Shaped

Axes = tuple[str, ...]


class ShardingRules(Protocol):
    """Where arrays are, such as `parallel.MeshRules`."""

    def constrain(self, array: Array, axes: Axes) -> Array:
        """The array, placed as the names of its axes ask for; its gradient likewise."""
        ...

    def gather(self, kernel: Array, axes: Axes) -> Array:
        """A parameter, brought from where it is kept to where it is used."""
        ...

    def shard_counts(self, shape: tuple[int, ...], axes: Axes) -> tuple[int, ...]:
        """Into how many parts each axis of an array is split."""
        ...


_PLACES: ContextVar[ShardingRules | None] = ContextVar("places", default=None)


@contextmanager
def logical_axis_rules(places: ShardingRules | None) -> Iterator[None]:
    """What is traced inside is placed; also a decorator. `None` leaves all to the compiler."""
    token = _PLACES.set(places)
    try:
        yield
    finally:
        _PLACES.reset(token)


def current_rules() -> ShardingRules | None:
    """Where arrays are being placed, if they are."""
    return _PLACES.get()


def constrain(array: Shaped[Array, "..."], axes: str) -> Shaped[Array, "..."]:
    """The array, placed by the names of its axes: `place(h, "b f h w c")`."""
    places = _PLACES.get()
    return array if places is None else places.constrain(array, _named(array, axes))


def gather(kernel: Shaped[Array, "..."], axes: str) -> Shaped[Array, "..."]:
    """A kernel, brought to where it is used, by the names of its axes: `use(kernel, "c e")`."""
    places = _PLACES.get()
    return kernel if places is None else places.gather(kernel, _named(kernel, axes))


def fold_frames(h: Shaped[Array, "b f ..."]) -> Shaped[Array, "n ..."]:
    """Frames as pictures in a batch, those of one device next to each other: nothing moves.

    What is kept or carried round a loop is best kept so, as convolutions have it: of clips, with
    one axis more, the compiler for TPUs may put the rows of the batch side by side, two or so where
    eight are read at once.
    """
    places, (b, f, *rest) = _PLACES.get(), h.shape
    if places is None:
        return h.reshape(b * f, *rest)
    s, t = places.shard_counts((b, f), ("b", "f"))
    h = h.reshape(s, b // s, t, f // t, *rest)
    return h.swapaxes(1, 2).reshape(b * f, *rest)


def unfold_frames(h: Shaped[Array, "n ..."], b: int) -> Shaped[Array, "b f ..."]:
    """The inverse of `fold_frames`: clips, `b` of them."""
    places, f, rest = _PLACES.get(), h.shape[0] // b, h.shape[1:]
    if places is None:
        return h.reshape(b, -1, *rest)
    s, t = places.shard_counts((b, f), ("b", "f"))
    h = h.reshape(s, t, b // s, f // t, *rest)
    return h.swapaxes(1, 2).reshape(b, f, *rest)


def _named(array: Array, axes: str) -> Axes:
    names = tuple(axes.split())
    if len(names) != array.ndim:
        raise ValueError(f"{len(names)} names {axes!r} for the axes of an array {array.shape}")
    return names
