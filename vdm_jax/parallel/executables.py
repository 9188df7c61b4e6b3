"""Compilation, and executables in files: one machine compiles, another has the devices."""

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

FACTS, PROGRAM = "facts.json", "program"  # members of an executable's zip file


YNNPACK_SUMS_ONLY: dict[str, str | bool] = {
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE"
}
"""XLA's CPU compiler uses YNNPACK for reductions only: YNNPACK's convolutions are slow."""


class ExecutableMismatch(ValueError):
    """An executable of another program, or for other devices."""


@cache
def compiler_options() -> dict[str, str | bool]:
    """Options for XLA on the available devices, where its default is slow.

    On CPUs Eigen computes convolutions and products: a training step of the VDM U-Net takes three
    fifths of the time on two cores, and so does sampling.
    """
    if jax.default_backend() != "cpu":
        return {}
    try:
        jax.jit(lambda x: x).lower(0.0).compile(compiler_options=YNNPACK_SUMS_ONLY)
    except jax.errors.JaxRuntimeError:  # a version of XLA without this option
        return {}
    return YNNPACK_SUMS_ONLY


class Jit:
    """`jax.jit(function, **options)` with `compiler_options()`, taken at the first call.

    Do not call it inside another jitted function: only a whole program has compiler options.
    """

    def __init__(self, function: Callable[..., Any], **options: Any):
        self.function, self.options = function, options

    @cached_property
    def jitted(self) -> Any:
        return jax.jit(self.function, **self.options, compiler_options=compiler_options())

    def __call__(self, *arguments: Any) -> Any:
        return self.jitted(*arguments)


def compile_lowered(lowered: jax.stages.Lowered) -> jax.stages.Compiled:
    """Compiles with `compiler_options()`, then returns the freed memory to the system.

    glibc's allocator holds on to what compilation frees: 700 MiB after a step of 3.6 M parameters.
    Training steps reuse little of it, since large arrays are allocated separately. Other C
    libraries have no `malloc_trim`.
    """
    program = lowered.compile(compiler_options=compiler_options())
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim:
        trim(0)
    return program


def write_executable(path: str | os.PathLike, program: Any, facts: Mapping[str, Any]) -> None:
    """Writes a compiled program and its facts.

    facts: JSON that identifies the program. The version of JAX is added.
    """
    content, _, _ = serialize_executable.serialize(program)
    with (
        epath.Path(path).open("wb") as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        archive.writestr(FACTS, json.dumps({**facts, "jax": jax.__version__}, indent=2))
        archive.writestr(PROGRAM, content)


def check_executable(path: str | os.PathLike, facts: Mapping[str, Any]) -> None:
    """Checks that the executable in a file has these facts and this version of JAX.

    Raises:
      ExecutableMismatch: it differs; the message lists the differences.
    """
    with epath.Path(path).open("rb") as file, zipfile.ZipFile(file) as archive:
        saved = json.loads(archive.read(FACTS))
    expected = {**json.loads(json.dumps(dict(facts))), "jax": jax.__version__}
    differences = config.differences(expected, saved)
    if differences:
        raise ExecutableMismatch(
            f"{path} is the executable of another program than this run's:\n  "
            + "\n  ".join(differences[:8])
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
    """The compiled program of a file, a function of `arguments` that returns `results`.

    facts: as given to `write_executable`.
    arguments, results: trees with the structure of the program's arguments and results.
    devices: the devices of the mesh, in its order.

    The file's content is executed: read only files that you or your own jobs have written.

    Raises:
      ExecutableMismatch: the file has other facts or another version of JAX.
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
