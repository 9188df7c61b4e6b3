"""Weights in any supported file format: safetensors, PyTorch, TensorFlow or numpy."""

import os

from vdm_jax.checkpoints.bundles import SUFFIX, Bundle, is_index
from vdm_jax.checkpoints.npz import Npz, is_npz
from vdm_jax.checkpoints.safetensors import Safetensors
from vdm_jax.checkpoints.store import CheckpointError
from vdm_jax.checkpoints.torch_files import LEGACY_MAGIC, SUFFIXES, TorchFile
from vdm_jax.storage import local_path

Weights = Safetensors | TorchFile | Bundle | Npz
HEAD_BYTES = 2**10


def read_weights(path: str | os.PathLike) -> Weights:
    """The arrays of a file or of a folder of files; the format is detected from the contents.

    A TensorFlow checkpoint is named by its index or, as in TensorFlow, without an ending:
    `model.ckpt`. A remote file is copied to this machine first.

    Raises:
      CheckpointError: no such file, one of another kind, or one that is damaged.
    """
    path = local_path(path)
    if path.is_dir():
        return Safetensors(path)
    if not path.exists() and (index := path.with_name(path.name + SUFFIX)).is_file():
        path = index
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}")
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if is_npz(head) or path.suffix == ".npz":
        return Npz(path)
    if head[:2] == b"PK" or head.startswith(LEGACY_MAGIC) or path.suffix in SUFFIXES:
        return TorchFile(path)
    if is_index(path) or path.suffix == SUFFIX:
        return Bundle(path)
    return Safetensors(path)
