"""Reports on files of weights: counts, types, differences from an experiment or a layout."""

import collections
from pathlib import Path
from typing import Any

from vdm_jax.checkpoints.exports import export_leaves
from vdm_jax.checkpoints.layouts import recognize
from vdm_jax.checkpoints.safetensors import INDEX
from vdm_jax.checkpoints.store import CheckpointError
from vdm_jax.checkpoints.tensors import Tensors, element_count, nbytes
from vdm_jax.checkpoints.weights import read_weights


def read_weight_sets(path: Path) -> dict[str, Tensors]:
    """The sets of weights at a path by name: one named "", or one per folder of a pipeline.

    Raises:
      CheckpointError: there are no weights, or a file is damaged.
    """
    if not path.is_dir() or any(path.glob("*.safetensors")):
        return {"": read_weights(path)}
    sets = {}
    for folder in sorted(path.iterdir()):
        if folder.is_dir() and (file := select_variant(folder)):
            sets[folder.name] = read_weights(file)
    if not sets:
        raise CheckpointError(
            f"{path} is no run, no export, and has no .safetensors files in it or one level down"
        )
    return sets


def select_variant(folder: Path) -> Path | None:
    """The weights in one folder of a pipeline: of several variants (fp16, ...) the plain one."""
    files = sorted(folder.glob(f"*{INDEX}")) or sorted(folder.glob("*.safetensors"))
    plain = [file for file in files if file.name.count(".") == files[0].name.count(".")]
    return min(plain or files, key=lambda f: (len(f.name), f.name)) if files else None


def summarize(tensors: Tensors) -> dict[str, Any]:
    """The numbers of arrays, elements and bytes, and the number of arrays of each type."""
    dtypes = collections.Counter(str(tensors.dtype(name)) for name in tensors)
    return {
        "tensors": len(tensors),
        "parameters": sum(element_count(tensors.shape(name)) for name in tensors),
        "bytes": sum(nbytes(tensors, name) for name in tensors),
        "dtypes": dict(dtypes.most_common()),
    }


def differences(tensors: Tensors, like: dict[str, Any]) -> list[str]:
    """The names and shapes in which arrays differ from an experiment's parameters, a line each."""
    expected = {name: tuple(leaf.shape) for name, leaf in export_leaves(like).items()}
    stored = {name: tensors.shape(name) for name in tensors}
    lines = [f"{n} is missing" for n in expected if n not in stored]
    lines += [f"{n} {shape} is of no parameter" for n, shape in stored.items() if n not in expected]
    changed = [n for n in expected if n in stored and stored[n] != expected[n]]
    return lines + [f"{n} is {stored[n]}, expected {expected[n]}" for n in changed]


def nearest_layout(tensors: Tensors) -> tuple[str, float, list[str]]:
    """(name, fit from 0 to 1, differences) of the nearest published layout."""
    best, fit = recognize(tensors, tensors.shape)
    if fit in (0.0, 1.0):
        return best.name, fit, []
    strange = [n for n in tensors if not best.match_score([n]) and not best.is_ignored(n)]
    return best.name, fit, [f"{n} {tensors.shape(n)} is not in this layout" for n in strange]
