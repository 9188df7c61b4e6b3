"""numpy's .npz files: arrays by name, without pickled objects.

Chainer saves its networks in such files under the names of the links, `conv1a/W`.
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
from vdm_jax.checkpoints.tensors import element_count, one_line
from vdm_jax.checkpoints.torch_files import DAMAGE

MAGIC = b"\x93NUMPY"
SUFFIX = ".npy"
MAX_HEADER_BYTES = 2**12
"""Limit for the header of an array; usual ones have 128 bytes."""
MAX_RATIO = 64
"""Limit for the size of the arrays in units of the file's: compressed zeros take almost nothing."""
HEADER_PATTERN = re.compile(
    r"\{'descr': '([<>|=]?[fiub]\d{1,2})', 'fortran_order': (True|False), "
    r"'shape': \(((?:\d{1,18},? ?)*)\),? \}\s*"
)


class _DamagedFile(ValueError):
    pass


@dataclass(frozen=True)
class _ArrayInfo:
    """The header of an array.

    member: its member of the archive.
    start: offset of its elements in the member.
    dtype, shape, order: of the array.
    """

    member: zipfile.ZipInfo
    start: int
    dtype: np.dtype
    shape: tuple[int, ...]
    order: Literal["C", "F"]


class Npz(Mapping[str, np.ndarray]):
    """The arrays of a file by name, read on access."""

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        try:
            self._archive = zipfile.ZipFile(self.path)
            members = self._archive.infolist()
            stated, file_size = sum(m.file_size for m in members), self.path.stat().st_size
            packed = sum(m.compress_size for m in members)
            if stated > MAX_RATIO * file_size or packed > file_size:
                raise _DamagedFile(f"its members state {stated:,} bytes in a file of {file_size:,}")
            if len({m.filename for m in members}) != len(members):
                raise _DamagedFile("it has several members with the same name")
            self._arrays = {m.filename.removesuffix(SUFFIX): self._read_header(m) for m in members}
        except _DamagedFile as error:
            raise CheckpointError(f"{path}: {one_line(error)}") from None
        except DAMAGE as error:
            raise CheckpointError(f"{path} is not a valid .npz file: {one_line(error)}") from None

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

    def _read_header(self, member: zipfile.ZipInfo) -> _ArrayInfo:
        """The checked header of an array."""
        name = member.filename
        if not name.endswith(SUFFIX):
            raise _DamagedFile(f"{name!r:.80} is no array")
        with self._archive.open(member) as file:
            head = file.read(MAX_HEADER_BYTES)
        if head[:6] != MAGIC or head[6:7] not in (b"\1", b"\2", b"\3"):
            raise _DamagedFile(f"{name!r:.80} is no array of numpy")
        wide = 2 if head[6] == 1 else 4
        start = 8 + wide + int.from_bytes(head[8 : 8 + wide], "little")
        header = HEADER_PATTERN.fullmatch(head[8 + wide : start].decode("latin-1"))
        if header is None or start > MAX_HEADER_BYTES:
            raise _DamagedFile(
                f"{name!r:.80} has no plain numbers: {head[10:90].decode('latin-1')!r}; "
                "pickled objects are not supported"
            )
        dtype = np.dtype(header[1])
        shape = tuple(int(side) for side in header[3].replace(",", " ").split())
        if len(shape) > 32 or element_count(shape) * dtype.itemsize != member.file_size - start:
            raise _DamagedFile(
                f"{name!r:.80} has {member.file_size - start:,} bytes, "
                f"which is not the size of {shape} {dtype}"
            )
        return _ArrayInfo(member, start, dtype, shape, "F" if header[2] == "True" else "C")


def is_npz(head: bytes) -> bool:
    """Whether the first bytes of a file are those of an archive that begins with an array."""
    length = int.from_bytes(head[26:28], "little")
    return head[:4] == b"PK\x03\x04" and head[30 : 30 + length].endswith(SUFFIX.encode())
