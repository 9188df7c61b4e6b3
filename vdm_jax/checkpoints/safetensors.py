"""Weights in the safetensors format: read as they are asked for, written one array at a time.

A file is eight bytes that count the header's, the header (JSON: dtype, shape and place of every
array), and the arrays. Several files with an index (`model.safetensors.index.json`) are one
checkpoint. What is written is, byte for byte, what the `safetensors` package writes.
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
from vdm_jax.checkpoints.tensors import Piece, Tensors, nbytes, one_line, size

TYPES = (  # by code, in the order in which a file has them
    *(("U64", np.uint64), ("I64", np.int64), ("F64", np.float64), ("C64", np.complex64)),
    *(("F32", np.float32), ("U32", np.uint32), ("I32", np.int32)),
    *(("BF16", ml_dtypes.bfloat16), ("F16", np.float16), ("U16", np.uint16), ("I16", np.int16)),
    *(("I8", np.int8), ("U8", np.uint8), ("BOOL", np.bool_)),
)
DTYPES = {code: np.dtype(kind) for code, kind in TYPES}
CODE = {dtype: code for code, dtype in DTYPES.items()}
RANK = {dtype: rank for rank, dtype in enumerate(DTYPES.values())}

INDEX = ".safetensors.index.json"
LARGEST_INDEX = 2**26  # bytes; a million names fit
SHARD = 2**32
"""Bytes of one file, unless told otherwise."""

PIECE = 2**25
"""Bytes that are read at a time; pieces of 4 MiB take twice as long to transpose."""
AHEAD = 2**26
"""Bytes that the disk is asked for before they are read."""


class Fact(NamedTuple):
    """Where an array is, and what it looks like."""

    file: Path
    shape: tuple[int, ...]
    dtype: np.dtype
    begin: int  # byte of the file


class Safetensors(Mapping[str, np.ndarray]):
    """The arrays of one file, or of a folder of files: at most one file is open at a time.

    Every header is checked against its file before anything is read: sizes, types and places of
    the arrays, and that the index and the files agree on who is where.

    metadata: what the files (or their index) say of themselves.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self._open: tuple[Path, Any] | None = None
        self._scratch = np.empty(0, np.uint8)
        self._facts: dict[str, Fact] = {}
        files, index = resolve(self.path)
        self.metadata: dict[str, Any] = {} if index is None else index["metadata"]
        for file in files:
            handle = self._handle(file)
            if index is None:
                self.metadata |= handle.metadata() or {}
            self._facts |= headers(file, handle)
        self._handle(None)
        if index is not None:
            agree(self.path, index["weight_map"], {n: f.file.name for n, f in self._facts.items()})

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def __getitem__(self, name: str) -> np.ndarray:
        file = self._facts[name].file
        try:
            return self._handle(file).get_tensor(name)
        except (SafetensorError, ValueError, OSError) as error:
            raise CheckpointError(f"{file}, {name!r}: {one_line(error)}") from None

    def pieces(self, name: str) -> Iterator[Piece]:
        """An array some rows at a time, all in the same memory, while the disk reads on.

        Raises:
          CheckpointError: the file has become shorter since it was opened.
        """
        file, shape, dtype, begin = self._facts[name]
        if not shape:
            yield ..., self[name]
            return
        row = size(shape[1:]) * dtype.itemsize
        count = max(1, PIECE // max(1, row))
        if self._scratch.nbytes < count * row:
            self._scratch = np.empty(count * row, np.uint8)
        try:
            with open(file, "rb", buffering=0) as opened:
                for first in range(0, shape[0], count):
                    last, at = min(first + count, shape[0]), begin + first * row
                    part = self._scratch[: (last - first) * row]
                    if hasattr(os, "posix_fadvise"):  # where there is none, the kernel guesses
                        os.posix_fadvise(opened.fileno(), at, AHEAD, os.POSIX_FADV_WILLNEED)
                    opened.seek(at)
                    fill(opened, part)
                    yield slice(first, last), part.view(dtype).reshape(last - first, *shape[1:])
        except OSError as error:
            raise CheckpointError(f"{file}, {name!r}: {one_line(error)}") from None

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array, from the header."""
        return self._facts[name].shape

    def dtype(self, name: str) -> np.dtype:
        """The type of an array's elements, from the header."""
        return self._facts[name].dtype

    @property
    def files(self) -> list[Path]:
        """The files that the arrays are in."""
        return list(dict.fromkeys(fact.file for fact in self._facts.values()))

    def _handle(self, file: Path | None) -> Any:
        if self._open is None or self._open[0] != file:
            self._open = None  # the file before goes first
            if file is None:
                return None
            try:
                # Reading by pread: pages of a mapped file would count as ours.
                self._open = file, safe_open(file, framework="numpy", backend="pread")
            except (SafetensorError, OSError, ValueError) as error:
                raise CheckpointError(
                    f"{file} is not a whole safetensors file: {one_line(error)}"
                ) from None
        return self._open[1]


def fill(file: Any, part: np.ndarray) -> None:
    """Reads a part of a file, which may come in portions."""
    rest = part.data
    while rest:
        read = file.readinto(rest)
        if not read:
            raise OSError(f"the file ends {len(rest):,} bytes too early")
        rest = rest[read:]


def headers(file: Path, handle: Any) -> dict[str, Fact]:
    """What is known of every array, in the order of the file.

    The package has checked that the arrays follow one another without a gap up to the file's end.
    """
    found = {}
    for name in handle.offset_keys():
        array = handle.get_slice(name)
        code = array.get_dtype()
        if code not in DTYPES:
            raise CheckpointError(
                f"{file}: {name!r} has elements of {code}, which are not read; "
                f"those that are: {', '.join(DTYPES)}"
            )
        found[name] = Fact(file, tuple(array.get_shape()), DTYPES[code], 0)
    at = file.stat().st_size - sum(size(f.shape) * f.dtype.itemsize for f in found.values())
    for name, fact in found.items():
        found[name] = fact._replace(begin=at)
        at += size(fact.shape) * fact.dtype.itemsize
    return found


def resolve(path: Path) -> tuple[list[Path], dict[str, Any] | None]:
    """The files of a checkpoint in order, and its index if it has one.

    path: a file, an index, or a folder with one index or one file.
    """
    if path.is_dir():
        found = sorted(path.glob(f"*{INDEX}")) or sorted(path.glob("*.safetensors"))
        if len(found) != 1:
            names = ", ".join(f.name for f in found)
            raise CheckpointError(
                f"{path} has several sets of weights, name one of them: {names}"
                if found
                else f"{path} has no .safetensors files"
            )
        return resolve(found[0])
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}")
    if not path.name.endswith(INDEX):
        return [path], None
    if path.stat().st_size > LARGEST_INDEX:
        raise CheckpointError(f"{path} is not an index: it has {path.stat().st_size:,} bytes")
    try:
        index = json.loads(path.read_text())
        places, metadata = index["weight_map"], index.get("metadata", {})
        names = list(dict.fromkeys(places.values()))
        beside = all(type(n) is str and n.endswith(".safetensors") for n in names)
        if not beside or any("/" in n for n in names) or not isinstance(metadata, dict):
            raise ValueError("its files are not all files beside it")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} is not an index: {one_line(error)}") from None
    for name in names:
        if not (path.parent / name).is_file():
            raise CheckpointError(f"{path} names the file {name!r}, which is not there")
    return [path.parent / n for n in names], {"weight_map": places, "metadata": metadata}


def agree(path: Path, said: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Refuses an index that says other than its files do."""
    for name in [*said, *found]:
        if said.get(name) != found.get(name):
            where, is_in = said.get(name, "no file"), found.get(name, "none")
            raise CheckpointError(f"{path}: {name!r} should be in {where}, and is in {is_in}")


def write(
    folder: Path,
    tensors: Tensors,
    *,
    name: str = "model",
    shard: int = SHARD,
    metadata: Mapping[str, Any] | None = None,
    within: Mapping[str, str] | None = None,
) -> list[Path]:
    """Writes arrays as files of at most `shard` bytes (or one array) and their index.

    Nothing but the array that is being written is held. `metadata` goes into the index, and
    `within` into every file.
    """
    groups: list[list[str]] = [[]]
    room = shard
    for key in tensors:
        if groups[-1] and nbytes(tensors, key) > room:
            groups.append([])
            room = shard
        groups[-1].append(key)
        room -= nbytes(tensors, key)
    names = [f"{name}-{n:05}-of-{len(groups):05}.safetensors" for n in range(1, len(groups) + 1)]
    for file, group in zip(names, groups, strict=True):
        write_file(folder / file, tensors, group, within)
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
    """Writes arrays to one file, each as it is read; see `write` for an index and atomicity."""
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
    text += b" " * (-len(text) % 8)  # the arrays begin at a multiple of eight bytes
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            array = tensors[name]
            if array.shape != tensors.shape(name) or array.dtype != tensors.dtype(name):
                raise CheckpointError(
                    f"{name} is {array.dtype} {array.shape}, not {tensors.dtype(name)} "
                    f"{tensors.shape(name)} as it said"
                )
            file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def _rank(tensors: Tensors, name: str) -> int:
    dtype = tensors.dtype(name)
    if dtype not in RANK:
        raise CheckpointError(
            f"{name} has elements of {dtype}, which are not written; "
            f"those that are: {', '.join(map(str, RANK))}"
        )
    return RANK[dtype]
