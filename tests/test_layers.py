"""Layers: which package may import which, where flax may be imported, how long a file may be."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "vdm_jax"
LAYERS = (
    {"types", "renames"},
    {"config", "progress", "storage"},
    {"diffusion", "nn", "parallel"},
    {"models"},
    {"checkpoints", "data"},
    {"interfaces"},
    {"training", "sampling", "metrics"},
    {"evaluation"},
    {"protocols"},
    {"systems"},
    {"commands"},
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
# Packages of different sets do not import one another.
APART = ({"training"}, {"sampling"}, {"metrics", "evaluation", "protocols"})
FLAX = {"nn", "models"}
FILES = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path):
    """The modules that a file imports; `from vdm_jax import data` yields vdm_jax.data."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "vdm_jax":
            yield from (f"vdm_jax.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path):
    here = room(path)
    if here in ("__init__", "__main__"):
        return
    assert here in LEVEL, f"{path}: {here} has no layer in LAYERS"
    for name in imports(path):
        top, _, rest = name.partition(".")
        there = rest.split(".")[0]
        assert top != "", f"{path}: relative import {name}"
        assert top not in ("experiments", "tests"), f"{path} imports {name}"
        assert top != "flax" or here in FLAX, f"{path}: flax is for {FLAX} only"
        if top == "vdm_jax" and there in LEVEL and there != here:
            assert LEVEL[there] < LEVEL[here], f"{path}: {here} must not import {there}"
            sides = [side for side in APART if here in side or there in side]
            assert len(sides) < 2, f"{path}: {here} must not import {there}"
        if top == "vdm_jax" and here == "diffusion":
            assert there in ("types", "diffusion"), f"{path}: diffusion must not import {there}"


def test_models_and_nn_do_not_import_diffusion():
    for path in FILES:
        if room(path) in FLAX:
            assert not any(name.startswith("vdm_jax.diffusion") for name in imports(path)), path


@pytest.mark.parametrize("folder", ["vdm_jax", "experiments", "data", "tests"])
def test_no_file_exceeds_400_lines(folder):
    long = {str(p): n for p in (ROOT / folder).rglob("*.py")
            if (n := len(p.read_text().splitlines())) > 400}  # fmt: skip
    assert not long


def test_data_set_builders_do_not_import_the_library():
    for path in (ROOT / "data").rglob("*.py"):
        assert not any(name.split(".")[0] == "vdm_jax" for name in imports(path)), path
