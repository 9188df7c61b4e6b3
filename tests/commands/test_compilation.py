"""Compiled programs are kept in a folder, unless told otherwise."""

from pathlib import Path

import jax
import pytest

from vdm_jax.commands import compilation


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({}, str(Path.home() / ".cache" / "vdm_jax" / "compiled")),
        ({"VDM_JAX_CACHE": "/some/where"}, "/some/where"),
        ({"VDM_JAX_CACHE": ""}, None),
        ({"JAX_COMPILATION_CACHE_DIR": "/jax"}, None),  # jax has read that by itself
    ],
)
def test_where(environment, folder, monkeypatch):
    monkeypatch.delenv("VDM_JAX_CACHE")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    told = {}
    monkeypatch.setattr(jax.config, "update", told.__setitem__)
    compilation.keep()
    assert told.get("jax_compilation_cache_dir") == folder
