"""Compiled programs, kept from one command to the next."""

import os
from pathlib import Path

import jax

FOLDER = "VDM_JAX_CACHE"
"""The environment variable that says where; empty: nowhere."""


def keep() -> None:
    """Keeps what takes a second or more to compile, in ~/.cache/vdm_jax/compiled if not elsewhere.

    Where jax has been told one (JAX_COMPILATION_CACHE_DIR), that one stays.
    """
    folder = os.environ.get(FOLDER, str(Path.home() / ".cache" / "vdm_jax" / "compiled"))
    if folder and "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", folder)
