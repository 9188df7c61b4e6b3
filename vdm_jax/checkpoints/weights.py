"""Weights in whichever file they come: safetensors in one file or many, or a file of torch."""

import os
from pathlib import Path

from vdm_jax.checkpoints.safetensors import Safetensors
from vdm_jax.checkpoints.store import CheckpointError
from vdm_jax.checkpoints.torch_files import OLD, SUFFIXES, TorchFile

Weights = Safetensors | TorchFile


def read_weights(path: str | os.PathLike) -> Weights:
    """The arrays of a file or of a folder of files, known by what is in it, not by its name.

    Raises:
      CheckpointError: no such file, one of another kind, or one that is damaged.
    """
    path = Path(path)
    if path.is_dir():
        return Safetensors(path)
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}")
    with path.open("rb") as file:
        start = file.read(len(OLD))
    if start[:2] == b"PK" or start == OLD or path.suffix in SUFFIXES:
        return TorchFile(path)
    return Safetensors(path)
