"""What is in a file or a folder of weights: how much, of which types, and whose layout it is."""

import collections
from pathlib import Path
from typing import Any

from vdm_jax import checkpoints
from vdm_jax.checkpoints.exports import named
from vdm_jax.checkpoints.layouts import recognise
from vdm_jax.checkpoints.safetensors import INDEX
from vdm_jax.checkpoints.tensors import Tensors, nbytes, size

SHOWN = 8  # differences that are named; the rest are counted


def sets(path: Path) -> dict[str, Tensors]:
    """The sets of weights at a path: one, or those of the folders of a pipeline by their names.

    Raises:
      CheckpointError: there is none, or one is damaged.
    """
    if not path.is_dir() or any(path.glob("*.safetensors")):
        return {"": checkpoints.read_weights(path)}
    found = {}
    for folder in sorted(path.iterdir()):
        if folder.is_dir() and (files := chosen(folder)):
            found[folder.name] = checkpoints.read_weights(files)
    if not found:
        raise checkpoints.CheckpointError(
            f"{path} is no run, no export, and has no .safetensors files in it or one level down"
        )
    return found


def chosen(folder: Path) -> Path | None:
    """The weights of one part of a pipeline; where there are variants, those of no variant."""
    found = sorted(folder.glob(f"*{INDEX}")) or sorted(folder.glob("*.safetensors"))
    plain = [file for file in found if file.name.count(".") == found[0].name.count(".")]
    return min(plain or found, key=lambda f: (len(f.name), f.name)) if found else None


def facts(tensors: Tensors) -> dict[str, Any]:
    """How many arrays, elements and bytes, and of which types."""
    dtypes = collections.Counter(str(tensors.dtype(name)) for name in tensors)
    return {
        "tensors": len(tensors),
        "parameters": sum(size(tensors.shape(name)) for name in tensors),
        "bytes": sum(nbytes(tensors, name) for name in tensors),
        "dtypes": dict(dtypes.most_common()),
    }


def against(tensors: Tensors, like: dict[str, Any]) -> list[str]:
    """What differs between arrays and the parameters of an experiment."""
    want = {name: tuple(leaf.shape) for name, leaf in named(like).items()}
    have = {name: tensors.shape(name) for name in tensors}
    lines = [f"{n} is missing" for n in want if n not in have]
    lines += [f"{n} {shape} is of no parameter" for n, shape in have.items() if n not in want]
    both = [n for n in want if n in have and have[n] != want[n]]
    return lines + [f"{n} is {have[n]}, expected {want[n]}" for n in both]


def layout(tensors: Tensors) -> tuple[str, float, list[str]]:
    """(name, fit from 0 to 1, what differs) of the published layout that is nearest."""
    best, fit = recognise(tensors, tensors.shape)
    if fit in (0.0, 1.0):
        return best.name, fit, []
    strange = [n for n in tensors if not best.matches([n]) and not best.is_beside(n)]
    return best.name, fit, [f"{n} {tensors.shape(n)} is not in this layout" for n in strange]


def table(tensors: Tensors, depth: int) -> list[str]:
    """The names down to a depth, each with the number of elements below it."""
    rows: dict[str, tuple[int, str]] = {}
    for name in tensors:
        parts = name.replace("/", ".").split(".")
        branch = ".".join(parts[:depth])
        shown = f"  {tensors.dtype(name)} {tensors.shape(name)}" if len(parts) <= depth else ""
        rows[branch] = rows.get(branch, (0, ""))[0] + size(tensors.shape(name)), shown
    return [f"{branch:<40}{count:>14,}{shown}" for branch, (count, shown) in rows.items()]


def some(lines: list[str]) -> list[str]:
    """The first lines, and how many more there are."""
    more = len(lines) - SHOWN
    return lines[:SHOWN] + ([f"... and {more} more"] if more > 0 else [])
