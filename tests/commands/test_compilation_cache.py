"""The compilation cache is on by default, in the folder that the environment names."""

from pathlib import Path

import jax
import pytest

from vdm_jax.commands.helpers.compilation_cache import enable_compilation_cache


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({}, str(Path.home() / ".cache" / "vdm_jax" / "compiled")),
        ({"VDM_JAX_CACHE": "/some/where"}, "/some/where"),
        ({"VDM_JAX_CACHE": ""}, None),
        ({"JAX_COMPILATION_CACHE_DIR": "/jax"}, None),  # JAX reads this variable itself
    ],
)
def test_cache_folder(environment, folder, monkeypatch):
    monkeypatch.delenv("VDM_JAX_CACHE")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    options = {}
    monkeypatch.setattr(jax.config, "update", options.__setitem__)
    enable_compilation_cache()
    assert options.get("jax_compilation_cache_dir") == folder
