"""Published weights: where the files of pretrained networks are, and whether a file is one of them.

Nothing is shipped and nothing is downloaded here: a file lies in the folder of weights, or it is
asked for by name.
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
CHUNK = 2**20


def weights_folder() -> Path:
    """Where weights are kept: $VDM_JAX_WEIGHTS, or .cache/vdm_jax/weights of the user's home."""
    named = os.environ.get(WEIGHTS)
    return local_path(named) if named else Path.home() / ".cache" / "vdm_jax" / "weights"


def at_hand(file: str, missing: str) -> Path:
    """A file by its path, or by its name in the folder of weights.

    Raises:
      CheckpointError: it is in neither; `missing` is what to say of the place where it should be.
    """
    places = (local_path(file), weights_folder() / file)
    for place in places:
        if place.is_file():
            return place
    raise CheckpointError(missing.format(places[1]))


@dataclass(frozen=True)
class Published:
    """A file of pretrained weights as its authors published it.

    file: its place in the folder of weights. beside: other files that belong to it, in the same
      folder, such as the data of a TensorFlow checkpoint, whose `file` is the index.
    where: the page or address where it is published. urls: an address for each of `files` that
      gives the file itself, where there is one.
    layout: the table that makes it parameters. network: what they are parameters of, a linen
      module; inputs: what it is called with, however small: shapes of arrays of float32, or
      shapes with types.
    sha256, size: of `file`, where they are known; of the first its beginning is enough, which
      torch writes into names of files. blob: its id in a git repository that holds it,
      the SHA-1 of "blob <size>", a zero and its bytes.
    bytes: of all files together, where `size` is that of one of several.
    crc32c: (tensor, checksum) pairs that tell this variant from others: CRC-32C, masked as
      TensorFlow stores it, of the tensor's little-endian bytes.
    """

    name: str
    file: str
    where: str
    layout: Layout
    network: Any
    inputs: tuple[tuple[int, ...] | jax.ShapeDtypeStruct, ...]
    sha256: str | None = None
    size: int | None = None
    bytes: int | None = None
    crc32c: tuple[tuple[str, int], ...] = ()
    beside: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    blob: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """Every file, in the folder of weights."""
        folder = Path(self.file).parent
        return (self.file, *(str(folder / name) for name in self.beside))

    def path(self) -> Path:
        """The file in the folder of weights.

        Raises:
          CheckpointError: it is not there; says where it is published and how to get it.
        """
        folder = weights_folder()
        for file in self.files:
            if not (folder / file).is_file():
                raise CheckpointError(
                    f"the weights {self.name} are not at hand: there is no file {folder / file}; "
                    f"they are published at {self.where}; get them with "
                    f"`vdm-jax fetch-weights {self.name}`, or, if you have the file, "
                    f"`vdm-jax fetch-weights {self.name} --from PATH`"
                )
        return folder / self.file

    def check(self, path: str | os.PathLike | None = None) -> Weights:
        """The tensors of a file, of which all that is known has been checked.

        path: of the file; without one, that in the folder of weights.

        Raises:
          CheckpointError: another file, one that is truncated or damaged, another variant of the
            network, or a tensor that is missing, left over or of another shape.
        """
        path = self.path() if path is None else local_path(path)
        if not path.is_file():
            raise CheckpointError(f"there is no file {path}")
        self._check_size(path)
        weights = read_weights(path)
        expected = self.layout.to_foreign(self.like())
        self._check_names(weights, expected, path)
        self._check_variant(weights, path)
        if (self.sha256 is None and self.blob is None) or self.beside:
            for name in weights:  # reading is what finds damage: archives and bundles have sums
                weights[name]
        self._check_digest(path)
        return weights

    def parameters(
        self, like: Params | None = None, path: str | os.PathLike | None = None
    ) -> Params:
        """The parameters that a file is, checked first; float32.

        like: arrays or shapes, with shardings where parameters are to be put; see
          `Layout.to_params`.

        Raises:
          CheckpointError: as `check`.
        """
        weights = self.check(path)
        return self.layout.to_params(weights, self.like() if like is None else like, jnp.float32)

    def like(self) -> Params:
        """The shapes of the network's parameters, for which nothing is computed."""
        return _shapes(self.network, self.inputs)

    def _check_size(self, path: Path) -> None:
        size = path.stat().st_size
        if self.size is None or size == self.size:
            return
        why = "it is not all there; fetch it again" if size < self.size else "it is another file"
        name = f"{Path(self.file).name} of {self.name}"
        raise CheckpointError(f"{path} is {size:,} bytes; {name} is {self.size:,}: {why}")

    def _check_names(self, weights: Weights, expected: Any, path: Path) -> None:
        """Refuses what the layout would, before a tensor is read."""
        try:
            self.layout.compare(weights, expected)
        except CheckpointError as error:
            raise CheckpointError(f"{path} is not {self.name}: {error}") from None

    def _check_variant(self, weights: Weights, path: Path) -> None:
        for name, crc in self.crc32c:
            there = weights[name]
            found = mask(crc32c(there.astype(there.dtype.newbyteorder("<")).tobytes()))
            if found != crc:
                raise CheckpointError(
                    f"{path} is another variant than {self.name}: the tensor {name} has "
                    f"CRC-32C {found}, expected {crc}; the right one is published at {self.where}"
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
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
            if not digest.hexdigest().startswith(expected):
                raise CheckpointError(
                    f"{path} is not the published {Path(self.file).name} of {self.name}: its "
                    f"{kind} is {digest.hexdigest()}, expected {expected}; fetch it again"
                )


@functools.cache
def _shapes(network: Any, inputs: tuple[tuple[int, ...] | jax.ShapeDtypeStruct, ...]) -> Params:
    arrays = (jax.ShapeDtypeStruct(x, jnp.float32) if isinstance(x, tuple) else x for x in inputs)
    return jax.eval_shape(network.init, jax.random.key(0), *arrays)["params"]
