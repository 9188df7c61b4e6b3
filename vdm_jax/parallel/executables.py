"""Executables in files: compiled on one machine, run on another that has the devices."""

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import jax
from jax.experimental import serialize_executable

FACTS, PROGRAM = "facts.json", "program"


class Misfit(ValueError):
    """An executable of another program, or for other devices."""


def write_executable(path: str | os.PathLike, compiled: Any, facts: Mapping[str, Any]) -> None:
    """Writes a compiled program, and what it is a program of.

    facts: whatever says which program it is, as JSON; versions and devices are added.
    """
    program, _, _ = serialize_executable.serialize(compiled)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(FACTS, json.dumps({**facts, "jax": jax.__version__}, indent=2))
        file.writestr(PROGRAM, program)


def read_executable(
    path: str | os.PathLike,
    facts: Mapping[str, Any],
    arguments: Any,
    results: Any,
    devices: Sequence[Any],
) -> Any:
    """The program, to be called with `arguments`; these and `results` are trees of that form.

    devices: those of the mesh, in its order.

    What is in the file is run as it is: read only files that you or your own jobs have written.

    Raises:
      Misfit: it is of other facts than these, or of another version of JAX.
    """
    with zipfile.ZipFile(path) as file:
        found = json.loads(file.read(FACTS))
        wanted = {**json.loads(json.dumps(dict(facts))), "jax": jax.__version__}
        other = [name for name in wanted if wanted[name] != found.get(name)]
        if other:
            raise Misfit(
                f"{path} is an executable with other {', '.join(other)} than this run has; write "
                "it again with `vdm-jax plan --save`, from the same experiment and versions"
            )
        program = file.read(PROGRAM)
    return serialize_executable.deserialize_and_load(
        program,
        jax.tree.structure((tuple(arguments), {})),
        jax.tree.structure(results),
        execution_devices=list(devices),
    )
