"""Files of torch, .pt, .pth and .ckpt: their tensors, without torch and running nothing.

Since torch 1.6 a file is a zip archive of one pickle and a member for every storage; before, it was
five pickles and the storages one after the other. An archive of TorchScript has code, which is not
looked at, and constants besides. All three are read; see `pickles` for how.
"""

import io
import mmap
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import ml_dtypes
import numpy as np

from vdm_jax.checkpoints import pickles
from vdm_jax.checkpoints.pickles import Refused, View
from vdm_jax.checkpoints.store import CheckpointError
from vdm_jax.checkpoints.tensors import one_line, size

OLD = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")  # the pickle of torch's magic number
SUFFIXES = (".pt", ".pth", ".ckpt", ".bin")
WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "params_ema", "params", "net")
"""Names under which training scripts keep the tensors of the model, besides other things."""

STORAGES = (
    *(("Double", np.float64), ("Float", np.float32), ("Half", np.float16)),
    *(("BFloat16", ml_dtypes.bfloat16), ("ComplexFloat", np.complex64), ("Bool", np.bool_)),
    *(("Long", np.int64), ("Int", np.int32), ("Short", np.int16), ("Char", np.int8)),
    ("Byte", np.uint8),
)
DTYPES = {f"torch.{name}Storage": np.dtype(kind) for name, kind in STORAGES}
UNTYPED = "torch.storage.UntypedStorage"
NAMED = {f"torch.{name}": np.dtype(name) for name in ("uint16", "uint32", "uint64")}
DEPTH = 16
DAMAGE = (
    *(OSError, EOFError, ValueError, RuntimeError, KeyError, IndexError, OverflowError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)
"""What the readers of zip archives and of bytes raise where a file is not what it says."""


class TorchFile(Mapping[str, np.ndarray]):
    """The tensors of a file by name, those of nested dicts joined by dots; read when asked for.

    Where the file has other things beside the model, such as an optimizer, the tensors are those
    of the model; `inside` says under which names of the file they are. Of TorchScript they are the
    parameters and buffers of the module, and `CONSTANTS.c0` and so on as its code calls them.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        if not self.path.is_file():
            raise CheckpointError(f"there is no file {path}")
        try:
            with self.path.open("rb") as file:
                old = file.read(len(OLD)) == OLD
            self._storages: _Storages = _Old(self.path) if old else _Zip(self.path)
            self.inside, tree = model(self._storages.tree)
            self._views: dict[str, View] = {}
            for name, view in walk(tree):
                if name in self._views:
                    raise Refused(f"it has two tensors of the name {name!r:.80}")
                self._check(name, view)
                self._views[name] = view
        except Refused as error:
            raise CheckpointError(f"{path}: {one_line(error)}") from None
        except DAMAGE as error:
            raise CheckpointError(f"{path} is not a whole torch file: {one_line(error)}") from None

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
        if not size(view.shape):
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
        """Refuses a tensor that reaches beyond its storage, or a storage beyond its bytes."""
        storage = view.storage
        if view.dtype is None:
            known, kind, unit = DTYPES, storage.kind, None
        else:
            known, kind, unit = NAMED, view.dtype, 1
        if kind not in known or (unit and storage.kind != UNTYPED):
            raise Refused(f"{name!r} has elements of {kind!r:.80}, which are not read")
        there = self._storages.sizes.get(storage.key, -1)
        if there != storage.count * (unit or known[kind].itemsize):
            raise Refused(f"the storage of {name!r} is {there} bytes, not as many as it says")
        count, width = size(view.shape), known[kind].itemsize
        if len(view.shape) > 32 or size(tuple(max(s, 1) for s in view.shape)) >= 2**48:
            raise Refused(f"{name!r} has a shape that no tensor has")
        last = sum((s - 1) * stride for s, stride in zip(view.shape, view.strides, strict=True))
        if count and (view.offset + last + 1) * width > there:
            raise Refused(f"{name!r} reaches beyond its storage of {there} bytes")
        if count * width > there or view.offset * width > there:
            raise Refused(f"{name!r} is larger than its storage of {there} bytes")


class _Storages(Protocol):
    """What was pickled, and the bytes that it refers to."""

    tree: Any
    sizes: dict[str, int]

    def read(self, key: str) -> bytes: ...


class _Zip:
    """An archive of torch 1.6 and later: members are stored as they are, one for a storage."""

    def __init__(self, path: Path):
        self.archive = zipfile.ZipFile(path)
        entries = {entry.filename: entry for entry in self.archive.infolist()}
        if len(entries) != len(self.archive.infolist()):
            raise Refused("it has several members of one name")
        pickle = [name for name in entries if name.split("/")[1:] == ["data.pkl"]]
        if len(pickle) != 1:
            raise Refused("it is a zip archive, but has no data.pkl: not a file of torch.save")
        self.folder = pickle[0].split("/")[0]
        code = f"{self.folder}/code/"  # compressed, and never read
        data = {name: entry for name, entry in entries.items() if not name.startswith(code)}
        claimed, whole = sum(e.file_size for e in data.values()), path.stat().st_size
        if claimed > whole:
            raise Refused(f"its members claim {claimed:,} bytes of a file of {whole:,}")
        plain = [e.compress_type == zipfile.ZIP_STORED for e in data.values()]
        if not all(plain) or any(e.compress_size != e.file_size for e in data.values()):
            raise Refused("its members are compressed, which torch never does")
        order = data.get(f"{self.folder}/byteorder")
        if order is not None and self.archive.read(order) != b"little":
            raise Refused("its numbers are in big-endian order, which is not read")
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


class _Old:
    """A file from before torch 1.6: pickles of magic, version, system, tree, keys; storages."""

    def __init__(self, path: Path):
        with path.open("rb") as file:
            self._file = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        _, version, system, self.tree, keys = (pickles.read(self._file) for _ in range(5))
        if version != 1001 or not (isinstance(system, dict) and system.get("little_endian")):
            raise Refused("it is of an unknown version, or its numbers are big-endian")
        if type(keys) is not list or not all(type(key) is str for key in keys):
            raise Refused("its pickle is damaged (no list of storages)")
        widths = {s.key: DTYPES[s.kind].itemsize for s in storages(self.tree) if s.kind in DTYPES}
        self._places: dict[str, int] = {}
        self.sizes: dict[str, int] = {}
        for key in keys:
            (count,) = struct.unpack("<q", self._file.read(8))
            self._places[key], self.sizes[key] = self._file.tell(), count * widths.get(key, 0)
            if count < 0 or key not in widths or self._ends(key) > len(self._file):
                raise Refused(f"its storage {key!r:.80} of {count} elements is not all there")
            self._file.seek(self._ends(key))

    def _ends(self, key: str) -> int:
        return self._places[key] + self.sizes[key]

    def read(self, key: str) -> bytes:
        return self._file[self._places[key] : self._ends(key)]


def storages(tree: Any) -> Iterator[pickles.Storage]:
    """The storages of every tensor of a tree, wherever it is."""
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


def model(tree: Any) -> tuple[tuple[str, ...], Any]:
    """(names, dict): the dict of the model's tensors, and where in the file it is."""
    inside: list[str] = []
    while type(tree) is dict and len(inside) < DEPTH:  # a module of TorchScript is the model
        if any(isinstance(value, View) for value in tree.values()):
            break
        name = next((n for n in WRAPPERS if isinstance(tree.get(n), dict)), None)
        if name is None:
            break
        inside.append(name)
        tree = tree[name]
    return tuple(inside), tree


def walk(tree: Any) -> Iterator[tuple[str, View]]:
    """Every tensor in nested dicts by its name; what is no tensor and no dict is passed over."""
    if not isinstance(tree, dict):
        raise Refused(f"it holds a {type(tree).__name__}, not tensors by name")
    seen: set[int] = set()
    waiting: list[tuple[tuple[str, ...], dict]] = [((), tree)]
    while waiting:
        names, branch = waiting.pop(0)
        if id(branch) in seen or len(names) > DEPTH:
            raise Refused("its dicts contain one another, or are nested too deeply")
        seen.add(id(branch))
        for key, value in branch.items():
            path = (*names, str(key))
            if isinstance(value, View):
                yield ".".join(path), value
            elif isinstance(value, dict):
                waiting.append((path, value))
