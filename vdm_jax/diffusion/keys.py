"""PRNG keys of a batch: one key for the batch, or one per batch element.

With one key per element, each element's draws depend on its own key alone: sample i of a seed is
the same in a batch of any size.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array

from vdm_jax.types import Keys


def normal(key: Keys, shape: tuple[int, ...], dtype=jnp.float32) -> Array:
    """Standard normal noise of a shape whose first axis is the batch."""
    if not key.ndim:
        return jax.random.normal(key, shape, dtype)
    return jax.vmap(partial(jax.random.normal, shape=shape[1:], dtype=dtype))(key)


def fold_in(key: Keys, number: Array | int) -> Keys:
    """The key, or the keys, of one step's draws."""
    if not key.ndim:
        return jax.random.fold_in(key, number)
    return jax.vmap(jax.random.fold_in, in_axes=(0, None))(key, number)


def split(key: Keys) -> tuple[Keys, Keys]:
    """Two independent keys, or two per batch element."""
    if not key.ndim:
        first, second = jax.random.split(key)
        return first, second
    both = jax.vmap(jax.random.split)(key)
    return both[:, 0], both[:, 1]
