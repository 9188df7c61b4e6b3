"""JAX's persistent compilation cache, shared by all commands."""

import os
from pathlib import Path

import jax

VARIABLE = "VDM_JAX_CACHE"
"""The environment variable with the cache folder; empty: no cache."""


def enable_compilation_cache() -> None:
    """Caches programs that take a second or more to compile, in ~/.cache/vdm_jax/compiled.

    `VDM_JAX_CACHE` names another folder. JAX_COMPILATION_CACHE_DIR, which JAX reads itself,
    takes precedence.
    """
    folder = os.environ.get(VARIABLE, str(Path.home() / ".cache" / "vdm_jax" / "compiled"))
    if folder and "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", folder)
