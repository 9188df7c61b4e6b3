"""Parameters and videos without meaning: a law holds for any of them, so none is left at zero."""

import math

import jax
import jax.numpy as jnp
import numpy as np

ROUNDING = 5e-5
"""How far outputs of about 1 of two float32 programs may be apart, however a CPU sums."""


def parameters(module, *args, **how):
    """Variables of a linen module, every one of them random, those that start at zero too."""
    shapes = jax.eval_shape(lambda key: module.init(key, *args, **how), jax.random.key(0))
    random = np.random.default_rng(0)

    def draw(path, leaf):
        width = math.prod(leaf.shape[:-1]) ** -0.5 if leaf.ndim > 1 else 0.3
        center = 1.0 if path[-1].key == "scale" else 0.0
        return jnp.asarray(center + width * random.standard_normal(leaf.shape), leaf.dtype)

    return jax.tree_util.tree_map_with_path(draw, shapes)


def normal(*shape: int, seed: int = 0) -> jax.Array:
    """Standard normal numbers."""
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)
