"""The tensors of PyTorch files (.pt, .pth, .ckpt), read without torch and without running code.

Since torch 1.6 a file is a zip archive with one pickle and a member for every storage. Legacy files
are five pickles followed by the storages. TorchScript archives also have constants, and code, which
is ignored. All three are supported; see `pickles`.
"""

import io
import mmap
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import ml_dtypes
import numpy as np

from vdm_jax.checkpoints import pickles
from vdm_jax.checkpoints.pickles import InvalidTorchFile, View
from vdm_jax.checkpoints.store import CheckpointError
from vdm_jax.checkpoints.tensors import element_count, one_line

LEGACY_MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")  # the pickle of torch's magic number
SUFFIXES = (".pt", ".pth", ".ckpt", ".bin")
WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "params_ema", "params", "net")
"""Names under which training scripts save the model's tensors beside other values."""

STORAGES = (
    *(("Double", np.float64), ("Float", np.float32), ("Half", np.float16)),
    *(("BFloat16", ml_dtypes.bfloat16), ("ComplexFloat", np.complex64), ("Bool", np.bool_)),
    *(("Long", np.int64), ("Int", np.int32), ("Short", np.int16), ("Char", np.int8)),
    ("Byte", np.uint8),
)
DTYPES = {f"torch.{name}Storage": np.dtype(kind) for name, kind in STORAGES}
UNTYPED = "torch.storage.UntypedStorage"
NAMED = {f"torch.{name}": np.dtype(name) for name in ("uint16", "uint32", "uint64")}
MAX_DEPTH = 16
DAMAGE = (
    *(OSError, EOFError, ValueError, RuntimeError, KeyError, IndexError, OverflowError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)
"""Exceptions of the readers of zip archives and of bytes for damaged files."""


class TorchFile(Mapping[str, np.ndarray]):
    """The tensors of a file by name, read on access; names of nested dicts are joined by dots.

    Of a file with other values, such as an optimizer's state, these are the model's tensors. Those
    of TorchScript are the parameters and buffers of the module, and its constants as
    `CONSTANTS.c0` and so on.

    state_dict_path: the keys under which the file has the model's tensors.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        if not self.path.is_file():
            raise CheckpointError(f"there is no file {path}")
        try:
            with self.path.open("rb") as file:
                legacy = file.read(len(LEGACY_MAGIC)) == LEGACY_MAGIC
            self._storages: _Storages = _LegacyFile(self.path) if legacy else _ZipFile(self.path)
            self.state_dict_path, tree = find_state_dict(self._storages.tree)
            self._views: dict[str, View] = {}
            for name, view in iter_tensors(tree):
                if name in self._views:
                    raise InvalidTorchFile(f"it has two tensors with the name {name!r:.80}")
                self._check(name, view)
                self._views[name] = view
        except InvalidTorchFile as error:
            raise CheckpointError(f"{path}: {one_line(error)}") from None
        except DAMAGE as error:
            raise CheckpointError(
                f"{path} is not a valid PyTorch file: {one_line(error)}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def __getitem__(self, name: str) -> np.ndarray:
        view, dtype = self._views[name], self.dtype(name)
        try:
            data = self._storages.read(view.storage.key)
        except DAMAGE as error:
            raise CheckpointError(f"{self.path}, {name!r}: {one_line(error)}") from None
        if not element_count(view.shape):
            return np.zeros(view.shape, dtype)
        elements = np.frombuffer(data, dtype)[view.offset :]
        sides = zip(view.shape, view.strides, strict=True)
        strides = tuple(stride * dtype.itemsize if side > 1 else 0 for side, stride in sides)
        return np.lib.stride_tricks.as_strided(elements, view.shape, strides).copy()

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor."""
        return self._views[name].shape

    def dtype(self, name: str) -> np.dtype:
        """The type of a tensor's elements."""
        view = self._views[name]
        return DTYPES[view.storage.kind] if view.dtype is None else NAMED[view.dtype]

    def _check(self, name: str, view: View) -> None:
        """Raises `InvalidTorchFile` if a tensor exceeds its storage, or a storage its bytes."""
        storage = view.storage
        if view.dtype is None:
            known, kind, unit = DTYPES, storage.kind, None
        else:
            known, kind, unit = NAMED, view.dtype, 1
        if kind not in known or (unit and storage.kind != UNTYPED):
            raise InvalidTorchFile(
                f"{name!r} has elements of {kind!r:.80}, which are not supported"
            )
        stored = self._storages.sizes.get(storage.key, -1)
        if stored != storage.count * (unit or known[kind].itemsize):
            raise InvalidTorchFile(
                f"the storage of {name!r} has {stored} bytes, not the stated number"
            )
        count, width = element_count(view.shape), known[kind].itemsize
        if len(view.shape) > 32 or element_count(tuple(max(s, 1) for s in view.shape)) >= 2**48:
            raise InvalidTorchFile(f"{name!r} has an impossible shape")
        last = sum((s - 1) * stride for s, stride in zip(view.shape, view.strides, strict=True))
        if count and (view.offset + last + 1) * width > stored:
            raise InvalidTorchFile(f"{name!r} exceeds its storage of {stored} bytes")
        if count * width > stored or view.offset * width > stored:
            raise InvalidTorchFile(f"{name!r} is larger than its storage of {stored} bytes")


@runtime_checkable
class _Storages(Protocol):
    """The unpickled value of a file, and the bytes of its storages.

    tree: the value.
    sizes: bytes of each storage, by key.
    """

    tree: Any
    sizes: dict[str, int]

    def read(self, key: str) -> bytes:
        """The bytes of a storage."""
        ...


class _ZipFile:
    """An archive of torch 1.6 and later, with one uncompressed member for each storage."""

    def __init__(self, path: Path):
        self.archive = zipfile.ZipFile(path)
        entries = {entry.filename: entry for entry in self.archive.infolist()}
        if len(entries) != len(self.archive.infolist()):
            raise InvalidTorchFile("it has several members with the same name")
        pickle = [name for name in entries if name.split("/")[1:] == ["data.pkl"]]
        if len(pickle) != 1:
            raise InvalidTorchFile(
                "it is a zip archive without data.pkl, so not written by torch.save"
            )
        self.folder = pickle[0].split("/")[0]
        code = f"{self.folder}/code/"  # compressed, and ignored
        data = {name: entry for name, entry in entries.items() if not name.startswith(code)}
        stated, file_size = sum(e.file_size for e in data.values()), path.stat().st_size
        if stated > file_size:
            raise InvalidTorchFile(f"its members state {stated:,} bytes in a file of {file_size:,}")
        uncompressed = [e.compress_type == zipfile.ZIP_STORED for e in data.values()]
        if not all(uncompressed) or any(e.compress_size != e.file_size for e in data.values()):
            raise InvalidTorchFile("its members are compressed, which torch never does")
        order = data.get(f"{self.folder}/byteorder")
        if order is not None and self.archive.read(order) != b"little":
            raise InvalidTorchFile("its numbers are big-endian, which is not supported")
        start = f"{self.folder}/"
        self.sizes = {
            n.removeprefix(start): e.file_size
            for n, e in data.items()
            if n.startswith((f"{start}data/", f"{start}constants/"))
        }
        self.tree = self._pickle("data")
        if isinstance(self.tree, pickles.Module) and f"{start}constants.pkl" in data:
            constants = enumerate(self._pickle("constants"))
            self.tree["CONSTANTS"] = {f"c{i}": constant for i, constant in constants}

    def _pickle(self, name: str) -> Any:
        return pickles.read(io.BytesIO(self.read(f"{name}.pkl")), folder=f"{name}/")

    def read(self, key: str) -> bytes:
        return self.archive.read(f"{self.folder}/{key}")


class _LegacyFile:
    """A legacy file: pickles of magic number, version, system, tree and keys; then storages."""

    def __init__(self, path: Path):
        with path.open("rb") as file:
            self._file = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        _, version, system, self.tree, keys = (pickles.read(self._file) for _ in range(5))
        if version != 1001 or not (isinstance(system, dict) and system.get("little_endian")):
            raise InvalidTorchFile("it has an unknown version, or big-endian numbers")
        if type(keys) is not list or not all(type(key) is str for key in keys):
            raise InvalidTorchFile("its pickle is damaged (no list of storages)")
        widths = {s.key: DTYPES[s.kind].itemsize for s in storages(self.tree) if s.kind in DTYPES}
        self._offsets: dict[str, int] = {}
        self.sizes: dict[str, int] = {}
        for key in keys:
            (count,) = struct.unpack("<q", self._file.read(8))
            self._offsets[key], self.sizes[key] = self._file.tell(), count * widths.get(key, 0)
            if count < 0 or key not in widths or self._end(key) > len(self._file):
                raise InvalidTorchFile(f"its storage {key!r:.80} of {count} elements is truncated")
            self._file.seek(self._end(key))

    def _end(self, key: str) -> int:
        return self._offsets[key] + self.sizes[key]

    def read(self, key: str) -> bytes:
        return self._file[self._offsets[key] : self._end(key)]


def storages(tree: Any) -> Iterator[pickles.Storage]:
    """The storages of all tensors in a tree."""
    waiting, seen = [tree], set()
    while waiting:
        item = waiting.pop()
        if isinstance(item, View):
            yield item.storage
        elif isinstance(item, pickles.Storage):
            yield item
        elif isinstance(item, dict | list | tuple) and id(item) not in seen:
            seen.add(id(item))
            waiting.extend(item.values() if isinstance(item, dict) else item)


def find_state_dict(tree: Any) -> tuple[tuple[str, ...], Any]:
    """(keys, dict): the dict of the model's tensors, and the keys that lead to it."""
    keys: list[str] = []
    while type(tree) is dict and len(keys) < MAX_DEPTH:  # a TorchScript module is the model
        if any(isinstance(value, View) for value in tree.values()):
            break
        name = next((n for n in WRAPPERS if isinstance(tree.get(n), dict)), None)
        if name is None:
            break
        keys.append(name)
        tree = tree[name]
    return tuple(keys), tree


def iter_tensors(tree: Any) -> Iterator[tuple[str, View]]:
    """(name, tensor) of every tensor in nested dicts; other values are skipped."""
    if not isinstance(tree, dict):
        raise InvalidTorchFile(f"it holds a {type(tree).__name__}, not a dict of tensors")
    seen: set[int] = set()
    waiting: list[tuple[tuple[str, ...], dict]] = [((), tree)]
    while waiting:
        names, branch = waiting.pop(0)
        if id(branch) in seen or len(names) > MAX_DEPTH:
            raise InvalidTorchFile("its dicts are recursive or nested too deeply")
        seen.add(id(branch))
        for key, value in branch.items():
            path = (*names, str(key))
            if isinstance(value, View):
                yield ".".join(path), value
            elif isinstance(value, dict):
                waiting.append((path, value))
