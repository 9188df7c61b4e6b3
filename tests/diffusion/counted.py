"""PRNG keys that encode numbers, for tests that replace random draws by known values."""

import jax
import jax.numpy as jnp


def key(number: jax.Array | int) -> jax.Array:
    """The key that encodes a number, 0 or more."""
    return jax.random.wrap_key_data(jnp.stack([0, number]).astype(jnp.uint32))


def number(key: jax.Array) -> jax.Array:
    """The number that a key encodes."""
    return jax.random.key_data(key)[1].astype(int)


def split(key_: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Two keys, with numbers that no other key is split into."""
    return key(2 * number(key_)), key(2 * number(key_) + 1)
