"""Files of numpy's savez, .npz: arrays by name, none of which is a pickled object.

Chainer keeps its networks in such files under the names of the links, `conv1a/W`.
"""

import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from vdm_jax.checkpoints.store import CheckpointError
from vdm_jax.checkpoints.tensors import one_line, size
from vdm_jax.checkpoints.torch_files import DAMAGE

MAGIC = b"\x93NUMPY"
SUFFIX = ".npy"
HEADER = 2**12
"""Bytes of the largest header of an array; an honest one has 128."""
WORTH = 64
"""How much larger than their file arrays may be: zeros take next to nothing when compressed."""
SAYS = re.compile(
    r"\{'descr': '([<>|=]?[fiub]\d{1,2})', 'fortran_order': (True|False), "
    r"'shape': \(((?:\d{1,18},? ?)*)\),? \}\s*"
)


class _Damaged(ValueError):
    pass


@dataclass(frozen=True)
class _Array:
    """Where an array is, and what."""

    member: zipfile.ZipInfo
    start: int
    dtype: np.dtype
    shape: tuple[int, ...]
    order: Literal["C", "F"]


class Npz(Mapping[str, np.ndarray]):
    """The arrays of a file by name, read when they are asked for."""

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        try:
            self._archive = zipfile.ZipFile(self.path)
            members = self._archive.infolist()
            claimed, whole = sum(m.file_size for m in members), self.path.stat().st_size
            packed = sum(m.compress_size for m in members)
            if claimed > WORTH * whole or packed > whole:
                raise _Damaged(f"its members claim {claimed:,} bytes of a file of {whole:,}")
            if len({m.filename for m in members}) != len(members):
                raise _Damaged("it has several members of one name")
            self._arrays = {m.filename.removesuffix(SUFFIX): self._said(m) for m in members}
        except _Damaged as error:
            raise CheckpointError(f"{path}: {one_line(error)}") from None
        except DAMAGE as error:
            raise CheckpointError(f"{path} is not a whole .npz file: {one_line(error)}") from None

    def __iter__(self):
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __getitem__(self, name: str) -> np.ndarray:
        array = self._arrays[name]
        try:
            data = self._archive.read(array.member)
            return np.ndarray(array.shape, array.dtype, data, array.start, order=array.order).copy()
        except (*DAMAGE, TypeError) as error:
            raise CheckpointError(f"{self.path}, {name!r}: {one_line(error)}") from None

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array."""
        return self._arrays[name].shape

    def dtype(self, name: str) -> np.dtype:
        """The type of an array's elements."""
        return self._arrays[name].dtype

    def _said(self, member: zipfile.ZipInfo) -> _Array:
        """What the header of an array says, if it is true."""
        name = member.filename
        if not name.endswith(SUFFIX):
            raise _Damaged(f"{name!r:.80} is no array")
        with self._archive.open(member) as file:
            head = file.read(HEADER)
        if head[:6] != MAGIC or head[6:7] not in (b"\1", b"\2", b"\3"):
            raise _Damaged(f"{name!r:.80} is no array of numpy")
        wide = 2 if head[6] == 1 else 4
        start = 8 + wide + int.from_bytes(head[8 : 8 + wide], "little")
        said = SAYS.fullmatch(head[8 + wide : start].decode("latin-1"))
        if said is None or start > HEADER:
            raise _Damaged(
                f"{name!r:.80} is not made of numbers: {head[10:90].decode('latin-1')!r}; "
                "objects, which are pickled, are not read"
            )
        dtype = np.dtype(said[1])
        shape = tuple(int(side) for side in said[3].replace(",", " ").split())
        if len(shape) > 32 or size(shape) * dtype.itemsize != member.file_size - start:
            raise _Damaged(
                f"{name!r:.80} has {member.file_size - start:,} bytes, "
                f"not as many as {shape} of {dtype}"
            )
        return _Array(member, start, dtype, shape, "F" if said[2] == "True" else "C")


def is_npz(start: bytes) -> bool:
    """Whether a file that starts so is an archive whose first member is an array."""
    length = int.from_bytes(start[26:28], "little")
    return start[:4] == b"PK\x03\x04" and start[30 : 30 + length].endswith(SUFFIX.encode())
