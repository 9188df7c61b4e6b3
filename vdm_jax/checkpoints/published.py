"""Published weights: location and verification of the files of pretrained networks.

This module downloads nothing: files are in the weights folder, or `vdm-jax fetch-weights` fetches
them.
"""

import functools
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from vdm_jax.checkpoints.crc32c import crc32c, mask
from vdm_jax.checkpoints.layout import Layout
from vdm_jax.checkpoints.store import CheckpointError
from vdm_jax.checkpoints.weights import Weights, read_weights
from vdm_jax.storage import local_path
from vdm_jax.types import Params

WEIGHTS = "VDM_JAX_WEIGHTS"
CHUNK_BYTES = 2**20


def weights_folder() -> Path:
    """The weights folder: $VDM_JAX_WEIGHTS, or ~/.cache/vdm_jax/weights."""
    folder = os.environ.get(WEIGHTS)
    return local_path(folder) if folder else Path.home() / ".cache" / "vdm_jax" / "weights"


def find_weights(file: str, missing: str) -> Path:
    """A file by its path, or by its name in the weights folder.

    missing: error message, formatted with the path in the weights folder.

    Raises:
      CheckpointError: it is in neither.
    """
    paths = (local_path(file), weights_folder() / file)
    for path in paths:
        if path.is_file():
            return path
    raise CheckpointError(missing.format(paths[1]))


@dataclass(frozen=True)
class Published:
    """A file of pretrained weights as its authors published it.

    name: for commands and messages.
    file: path within the weights folder; for a TensorFlow checkpoint, that of the index.
    page: page or address where it is published.
    layout: the table that gives its parameters.
    network: the linen module of the parameters.
    inputs: small inputs of the network: shapes of float32 arrays, or shapes with types.
    sha256: of `file`, or its first digits, which torch writes into file names; None if unknown.
    size: of `file` in bytes; None if unknown.
    bytes: of all files together, if there are several.
    crc32c: (tensor, checksum) pairs that identify this variant: masked CRC-32C, as TensorFlow
      stores it, of the tensor's little-endian bytes.
    companions: other files in the same folder, such as the data of a TensorFlow checkpoint.
    urls: download address of each of `files`; () if there is none.
    blob: git id of `file`: SHA-1 of "blob <size>", a zero byte and its bytes; None if unknown.
    """

    name: str
    file: str
    page: str
    layout: Layout
    network: Any
    inputs: tuple[tuple[int, ...] | jax.ShapeDtypeStruct, ...]
    sha256: str | None = None
    size: int | None = None
    bytes: int | None = None
    crc32c: tuple[tuple[str, int], ...] = ()
    companions: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    blob: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of all files within the weights folder."""
        folder = Path(self.file).parent
        return (self.file, *(str(folder / name) for name in self.companions))

    def path(self) -> Path:
        """The file in the weights folder.

        Raises:
          CheckpointError: it is missing; the message says how to fetch it.
        """
        folder = weights_folder()
        for file in self.files:
            if not (folder / file).is_file():
                raise CheckpointError(
                    f"the weights {self.name} are not available: there is no file {folder / file}; "
                    f"they are published at {self.page}; fetch them with "
                    f"`vdm-jax fetch-weights {self.name}`, or, if you have the file, "
                    f"`vdm-jax fetch-weights {self.name} --from PATH`"
                )
        return folder / self.file

    def check(self, path: str | os.PathLike | None = None) -> Weights:
        """The tensors of a file, after all checks that this record allows.

        path: the file; None is the one in the weights folder.

        Raises:
          CheckpointError: another file, one that is truncated or damaged, another variant of the
            network, or a tensor that is missing, left over or of another shape.
        """
        path = self.path() if path is None else local_path(path)
        if not path.is_file():
            raise CheckpointError(f"there is no file {path}")
        self._check_size(path)
        weights = read_weights(path)
        expected = self.layout.to_foreign(self.abstract_params())
        self._check_names(weights, expected, path)
        self._check_variant(weights, path)
        if (self.sha256 is None and self.blob is None) or self.companions:
            for name in weights:  # reading verifies the checksums of archives and bundles
                weights[name]
        self._check_digest(path)
        return weights

    def parameters(
        self, like: Params | None = None, path: str | os.PathLike | None = None
    ) -> Params:
        """The parameters of a file in float32, after `check`.

        like: arrays or shapes, optionally with shardings; see `Layout.to_params`.
        path: the file; None is the one in the weights folder.

        Raises:
          CheckpointError: as `check`.
        """
        weights = self.check(path)
        return self.layout.to_params(
            weights, self.abstract_params() if like is None else like, jnp.float32
        )

    def abstract_params(self) -> Params:
        """The network's parameters as shapes, without computing them."""
        return _abstract_params(self.network, self.inputs)

    def _check_size(self, path: Path) -> None:
        size = path.stat().st_size
        if self.size is None or size == self.size:
            return
        why = "it is truncated; fetch it again" if size < self.size else "it is another file"
        name = f"{Path(self.file).name} of {self.name}"
        raise CheckpointError(f"{path} is {size:,} bytes, but {name} is {self.size:,}: {why}")

    def _check_names(self, weights: Weights, expected: Any, path: Path) -> None:
        """Raises `CheckpointError` for names and shapes of another network, before reading."""
        try:
            self.layout.check(weights, expected)
        except CheckpointError as error:
            raise CheckpointError(f"{path} is not {self.name}: {error}") from None

    def _check_variant(self, weights: Weights, path: Path) -> None:
        for name, crc in self.crc32c:
            tensor = weights[name]
            found = mask(crc32c(tensor.astype(tensor.dtype.newbyteorder("<")).tobytes()))
            if found != crc:
                raise CheckpointError(
                    f"{path} is another variant than {self.name}: the tensor {name} has "
                    f"CRC-32C {found}, expected {crc}; the right one is published at {self.page}"
                )

    def _check_digest(self, path: Path) -> None:
        size = path.stat().st_size
        digests = (
            ("SHA-256", self.sha256, hashlib.sha256()),
            ("git id", self.blob, hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)),
        )
        for kind, expected, digest in digests:
            if expected is None:
                continue
            with path.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    digest.update(chunk)
            if not digest.hexdigest().startswith(expected):
                raise CheckpointError(
                    f"{path} is not the published {Path(self.file).name} of {self.name}: its "
                    f"{kind} is {digest.hexdigest()}, expected {expected}; fetch it again"
                )


@functools.cache
def _abstract_params(
    network: Any, inputs: tuple[tuple[int, ...] | jax.ShapeDtypeStruct, ...]
) -> Params:
    arrays = (jax.ShapeDtypeStruct(x, jnp.float32) if isinstance(x, tuple) else x for x in inputs)
    return jax.eval_shape(network.init, jax.random.key(0), *arrays)["params"]
