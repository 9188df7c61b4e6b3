"""Executables: compiled, and in files, where one machine compiles and another has the devices."""

import ctypes
import json
import os
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from typing import Any

import jax
from etils import epath
from jax.experimental import serialize_executable

from vdm_jax import config

FACTS, PROGRAM = "facts.json", "program"


SUMS_ALONE: dict[str, str | bool] = {
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE"
}
"""What XLA's CPU compiler leaves to its library YNNPACK, whose convolutions are slow ones."""


class ExecutableMismatch(ValueError):
    """An executable of another program, or for other devices."""


@cache
def options() -> dict[str, str | bool]:
    """Options for XLA's compiler of the devices at hand, where its own choice is a slow one.

    On CPUs convolutions and products are Eigen's: a training step of the VDM U-Net takes three
    fifths of the time on two cores, and so does sampling.
    """
    if jax.default_backend() != "cpu":
        return {}
    try:
        jax.jit(lambda x: x).lower(0.0).compile(compiler_options=SUMS_ALONE)
    except jax.errors.JaxRuntimeError:  # another version, that has no such option
        return {}
    return SUMS_ALONE


class Jit:
    """`jax.jit(function, **how)` with `options()`, which are asked for when it is first called.

    It is not called from within another: only a whole program has options.
    """

    def __init__(self, function: Callable[..., Any], **how: Any):
        self.function, self.how = function, how

    @cached_property
    def jitted(self) -> Any:
        return jax.jit(self.function, **self.how, compiler_options=options())

    def __call__(self, *arguments: Any) -> Any:
        return self.jitted(*arguments)


def compile_lowered(lowered: jax.stages.Lowered) -> jax.stages.Compiled:
    """A program, compiled with `options()`, and the memory that this took given back to the system.

    C's allocator keeps what compiling frees: 700 MiB after a step of 3.6 M parameters. Steps find
    little of it of use, since large arrays get memory of their own. Where the C library is not
    glibc it does as it likes.
    """
    program = lowered.compile(compiler_options=options())
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim:
        trim(0)
    return program


def write_executable(path: str | os.PathLike, program: Any, facts: Mapping[str, Any]) -> None:
    """Writes a compiled program, and what it is a program of.

    facts: whatever says which program it is, as JSON; versions and devices are added.
    """
    content, _, _ = serialize_executable.serialize(program)
    with (
        epath.Path(path).open("wb") as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        archive.writestr(FACTS, json.dumps({**facts, "jax": jax.__version__}, indent=2))
        archive.writestr(PROGRAM, content)


def check_executable(path: str | os.PathLike, facts: Mapping[str, Any]) -> None:
    """Nothing, where the executable in a file is of these facts and of this version of JAX.

    Raises:
      Misfit: it is of others; what differs is said.
    """
    with epath.Path(path).open("rb") as file, zipfile.ZipFile(file) as archive:
        found = json.loads(archive.read(FACTS))
    wanted = {**json.loads(json.dumps(dict(facts))), "jax": jax.__version__}
    other = config.differences(wanted, found)
    if other:
        raise ExecutableMismatch(
            f"{path} is the executable of another program than this run wants:\n  "
            + "\n  ".join(other[:8])
            + "\nwrite it again with `vdm-jax plan --save`, from the same experiment, mesh, chips "
            "and versions"
        )


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
    check_executable(path, facts)
    with epath.Path(path).open("rb") as file, zipfile.ZipFile(file) as archive:
        program = archive.read(PROGRAM)
    return serialize_executable.deserialize_and_load(
        program,
        jax.tree.structure((tuple(arguments), {})),
        jax.tree.structure(results),
        execution_devices=list(devices),
    )
