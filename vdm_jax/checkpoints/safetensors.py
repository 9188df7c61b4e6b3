"""The safetensors format: arrays read on access, written one at a time.

A file is the length of the header (eight bytes), the header (JSON: dtype, shape and offsets of
every array), and the arrays. Several files with an index (`model.safetensors.index.json`) are one
checkpoint. The written bytes equal those of the `safetensors` package.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from safetensors import SafetensorError, safe_open

from vdm_jax.checkpoints.store import CheckpointError
from vdm_jax.checkpoints.tensors import Piece, Tensors, element_count, nbytes, one_line

TYPES = (  # by code, in the order of arrays in a file
    *(("U64", np.uint64), ("I64", np.int64), ("F64", np.float64), ("C64", np.complex64)),
    *(("F32", np.float32), ("U32", np.uint32), ("I32", np.int32)),
    *(("BF16", ml_dtypes.bfloat16), ("F16", np.float16), ("U16", np.uint16), ("I16", np.int16)),
    *(("I8", np.int8), ("U8", np.uint8), ("BOOL", np.bool_)),
)
DTYPES = {code: np.dtype(kind) for code, kind in TYPES}
CODE = {dtype: code for code, dtype in DTYPES.items()}
RANK = {dtype: rank for rank, dtype in enumerate(DTYPES.values())}

INDEX = ".safetensors.index.json"
MAX_INDEX_BYTES = 2**26  # bytes; a million names fit
SHARD_BYTES = 2**32
"""Default for the largest size of a file."""

PIECE_BYTES = 2**25
"""Bytes of a piece; pieces of 4 MiB take twice as long to transpose."""
READAHEAD_BYTES = 2**26
"""Bytes that the kernel is asked to prefetch."""


class ArrayInfo(NamedTuple):
    """An array in a file.

    file: the file.
    shape, dtype: of the array.
    begin: offset of its first byte.
    """

    file: Path
    shape: tuple[int, ...]
    dtype: np.dtype
    begin: int


class Safetensors(Mapping[str, np.ndarray]):
    """The arrays of one file, or of a folder of files; at most one file is open at a time.

    Opening checks the headers: sizes, types and offsets of the arrays, and that the index matches
    the files.

    metadata: the metadata of the index, or of the files.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self._open: tuple[Path, Any] | None = None
        self._scratch = np.empty(0, np.uint8)
        self._infos: dict[str, ArrayInfo] = {}
        files, index = resolve(self.path)
        self.metadata: dict[str, Any] = {} if index is None else index["metadata"]
        for file in files:
            handle = self._handle(file)
            if index is None:
                self.metadata |= handle.metadata() or {}
            self._infos |= read_header(file, handle)
        self._handle(None)
        if index is not None:
            check_index(
                self.path,
                index["weight_map"],
                {n: info.file.name for n, info in self._infos.items()},
            )

    def __iter__(self) -> Iterator[str]:
        return iter(self._infos)

    def __len__(self) -> int:
        return len(self._infos)

    def __getitem__(self, name: str) -> np.ndarray:
        file = self._infos[name].file
        try:
            return self._handle(file).get_tensor(name)
        except (SafetensorError, ValueError, OSError) as error:
            raise CheckpointError(f"{file}, {name!r}: {one_line(error)}") from None

    def pieces(self, name: str) -> Iterator[Piece]:
        """An array in pieces along its first axis, all in the same memory, with read-ahead.

        Raises:
          CheckpointError: the file has shrunk since it was opened.
        """
        file, shape, dtype, begin = self._infos[name]
        if not shape:
            yield ..., self[name]
            return
        row = element_count(shape[1:]) * dtype.itemsize
        count = max(1, PIECE_BYTES // max(1, row))
        if self._scratch.nbytes < count * row:
            self._scratch = np.empty(count * row, np.uint8)
        try:
            with open(file, "rb", buffering=0) as handle:
                for first in range(0, shape[0], count):
                    last, at = min(first + count, shape[0]), begin + first * row
                    piece = self._scratch[: (last - first) * row]
                    if hasattr(os, "posix_fadvise"):  # not on macOS and Windows
                        os.posix_fadvise(
                            handle.fileno(), at, READAHEAD_BYTES, os.POSIX_FADV_WILLNEED
                        )
                    handle.seek(at)
                    read_exactly(handle, piece)
                    yield slice(first, last), piece.view(dtype).reshape(last - first, *shape[1:])
        except OSError as error:
            raise CheckpointError(f"{file}, {name!r}: {one_line(error)}") from None

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array, from the header."""
        return self._infos[name].shape

    def dtype(self, name: str) -> np.dtype:
        """The type of an array's elements, from the header."""
        return self._infos[name].dtype

    @property
    def files(self) -> list[Path]:
        """The files of the arrays."""
        return list(dict.fromkeys(info.file for info in self._infos.values()))

    def _handle(self, file: Path | None) -> Any:
        if self._open is None or self._open[0] != file:
            self._open = None  # close the previous file first
            if file is None:
                return None
            try:
                # With pread: pages of a memory-mapped file would count as memory of this process.
                self._open = file, safe_open(file, framework="numpy", backend="pread")
            except (SafetensorError, OSError, ValueError) as error:
                raise CheckpointError(
                    f"{file} is not a valid safetensors file: {one_line(error)}"
                ) from None
        return self._open[1]


def read_exactly(file: Any, out: np.ndarray) -> None:
    """Reads from a file until `out` is full. Raises `OSError` if the file ends before."""
    rest = out.data
    while rest:
        read = file.readinto(rest)
        if not read:
            raise OSError(f"the file ends {len(rest):,} bytes too early")
        rest = rest[read:]


def read_header(file: Path, handle: Any) -> dict[str, ArrayInfo]:
    """The arrays of a file, in its order.

    The safetensors package has checked that they follow one another without a gap up to the end.
    """
    infos = {}
    for name in handle.offset_keys():
        array = handle.get_slice(name)
        code = array.get_dtype()
        if code not in DTYPES:
            raise CheckpointError(
                f"{file}: {name!r} has elements of {code}, which are not supported; "
                f"supported: {', '.join(DTYPES)}"
            )
        infos[name] = ArrayInfo(file, tuple(array.get_shape()), DTYPES[code], 0)
    at = file.stat().st_size - sum(
        element_count(f.shape) * f.dtype.itemsize for f in infos.values()
    )
    for name, info in infos.items():
        infos[name] = info._replace(begin=at)
        at += element_count(info.shape) * info.dtype.itemsize
    return infos


def resolve(path: Path) -> tuple[list[Path], dict[str, Any] | None]:
    """The files of a checkpoint in order, and its index, if it has one.

    path: a file, an index, or a folder with one index or one file.

    Raises:
      CheckpointError: there is no such checkpoint, or the index is damaged.
    """
    if path.is_dir():
        files = sorted(path.glob(f"*{INDEX}")) or sorted(path.glob("*.safetensors"))
        if len(files) != 1:
            names = ", ".join(f.name for f in files)
            raise CheckpointError(
                f"{path} has several sets of weights; name one of them: {names}"
                if files
                else f"{path} has no .safetensors files"
            )
        return resolve(files[0])
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}")
    if not path.name.endswith(INDEX):
        return [path], None
    if path.stat().st_size > MAX_INDEX_BYTES:
        raise CheckpointError(f"{path} is not an index: it has {path.stat().st_size:,} bytes")
    try:
        index = json.loads(path.read_text())
        weight_map, metadata = index["weight_map"], index.get("metadata", {})
        names = list(dict.fromkeys(weight_map.values()))
        valid = all(type(n) is str and n.endswith(".safetensors") for n in names)
        if not valid or any("/" in n for n in names) or not isinstance(metadata, dict):
            raise ValueError("it names files outside its folder")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} is not an index: {one_line(error)}") from None
    for name in names:
        if not (path.parent / name).is_file():
            raise CheckpointError(f"{path} names the file {name!r}, which is missing")
    return [path.parent / n for n in names], {"weight_map": weight_map, "metadata": metadata}


def check_index(path: Path, index: Mapping[str, str], files: Mapping[str, str]) -> None:
    """Raises `CheckpointError` if an index and its files differ in the file of an array."""
    for name in [*index, *files]:
        if index.get(name) != files.get(name):
            stated, actual = index.get(name, "no file"), files.get(name, "none")
            raise CheckpointError(f"{path}: {name!r} should be in {stated}, but is in {actual}")


def write(
    folder: Path,
    tensors: Tensors,
    *,
    name: str = "model",
    shard_bytes: int = SHARD_BYTES,
    metadata: Mapping[str, Any] | None = None,
    file_metadata: Mapping[str, str] | None = None,
) -> list[Path]:
    """Writes arrays to sharded files and an index, with one array in memory at a time.

    folder: an existing folder.
    tensors: the arrays.
    name: prefix of the file names.
    shard_bytes: largest size of a file, unless it has a single array.
    metadata: of the index.
    file_metadata: of every file.
    """
    groups: list[list[str]] = [[]]
    room = shard_bytes
    for key in tensors:
        if groups[-1] and nbytes(tensors, key) > room:
            groups.append([])
            room = shard_bytes
        groups[-1].append(key)
        room -= nbytes(tensors, key)
    names = [f"{name}-{n:05}-of-{len(groups):05}.safetensors" for n in range(1, len(groups) + 1)]
    for file, group in zip(names, groups, strict=True):
        write_file(folder / file, tensors, group, file_metadata)
    index = {
        "metadata": {
            "total_size": sum(nbytes(tensors, key) for key in tensors),
            **(metadata or {}),
        },
        "weight_map": {k: f for f, group in zip(names, groups, strict=True) for k in sorted(group)},
    }
    (folder / f"{name}{INDEX}").write_text(json.dumps(index, indent=2) + "\n")
    return [folder / file for file in names]


def write_file(
    path: str | os.PathLike,
    tensors: Tensors,
    names: Iterable[str] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Writes arrays to one file, with one array in memory at a time."""
    order = sorted(tensors if names is None else names, key=lambda n: (_rank(tensors, n), n))
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name in order:
        begin, end = end, end + nbytes(tensors, name)
        header[name] = {
            "dtype": CODE[tensors.dtype(name)],
            "shape": list(tensors.shape(name)),
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # arrays start at a multiple of eight bytes
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            array = tensors[name]
            if array.shape != tensors.shape(name) or array.dtype != tensors.dtype(name):
                raise CheckpointError(
                    f"{name} is {array.dtype} {array.shape}, but was declared as "
                    f"{tensors.dtype(name)} {tensors.shape(name)}"
                )
            file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def _rank(tensors: Tensors, name: str) -> int:
    dtype = tensors.dtype(name)
    if dtype not in RANK:
        raise CheckpointError(
            f"{name} has elements of {dtype}, which are not supported; "
            f"supported: {', '.join(map(str, RANK))}"
        )
    return RANK[dtype]
