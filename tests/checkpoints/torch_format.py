"""Writer for the format of torch.save, without torch; also writes invalid files."""

import io
import struct
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np

KINDS = {"f4": "Float", "f2": "Half", "f8": "Double", "i8": "Long", "u1": "Byte", "b1": "Bool"}
MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")


@dataclass(frozen=True)
class Name:
    """A global."""

    module: str
    name: str


@dataclass(frozen=True)
class Call:
    """A call of a global."""

    function: Name
    arguments: tuple


@dataclass(frozen=True)
class Persistent:
    """A reference to a storage."""

    identity: tuple


@dataclass(frozen=True)
class Raw:
    """Raw instructions."""

    code: bytes


def tensor(array: np.ndarray, key: str, **false) -> Call:
    """A tensor as torch pickles it; `false` replaces true values."""
    kind = Name("torch", KINDS[array.dtype.str[1:]] + "Storage")
    strides = tuple(s // array.itemsize for s in array.strides)
    true = {"key": key, "count": array.size, "offset": 0, "shape": array.shape, "strides": strides}
    values = {**true, **false}
    storage = Persistent(("storage", kind, values["key"], "cpu", values["count"]))
    hooks = Call(Name("collections", "OrderedDict"), ())
    rest = (values["offset"], values["shape"], values["strides"], False, hooks)
    return Call(Name("torch._utils", "_rebuild_tensor_v2"), (storage, *rest))


def instructions(item: Any) -> bytes:
    """The instructions that build an item, in protocol 2."""
    match item:
        case Raw():
            return item.code
        case bool():
            return b"\x88" if item else b"\x89"
        case None:
            return b"N"
        case int() if -(2**31) <= item < 2**31:
            return b"J" + struct.pack("<i", item)
        case int():
            data = item.to_bytes(item.bit_length() // 8 + 1, "little", signed=True)
            return b"\x8a" + bytes([len(data)]) + data
        case float():
            return b"G" + struct.pack(">d", item)
        case str():
            return b"X" + struct.pack("<I", len(item.encode())) + item.encode()
        case tuple():
            return b"(" + b"".join(map(instructions, item)) + b"t"
        case list():
            return b"](" + b"".join(map(instructions, item)) + b"e"
        case dict():
            pairs = (instructions(k) + instructions(v) for k, v in item.items())
            return b"}(" + b"".join(pairs) + b"u"
        case Name():
            return f"c{item.module}\n{item.name}\n".encode()
        case Call():
            return instructions(item.function) + instructions(item.arguments) + b"R"
        case Persistent():
            return instructions(item.identity) + b"Q"
    raise TypeError(type(item))


def dumps(tree: Any) -> bytes:
    """A complete pickle."""
    return b"\x80\x02" + instructions(tree) + b"."


def bind(tree: Any, storages: dict[str, np.ndarray]) -> Any:
    """The tree with every array replaced by a tensor whose storage is added to `storages`."""
    if isinstance(tree, np.ndarray):
        key = str(len(storages))
        storages[key] = tree
        return tensor(tree, key)
    if isinstance(tree, dict):
        return {name: bind(child, storages) for name, child in tree.items()}
    return tree


def new(tree: Any, **more: np.ndarray) -> bytes:
    """A file in the format since torch 1.6."""
    storages: dict[str, np.ndarray] = dict(more)
    members = {"data.pkl": dumps(bind(tree, storages)), "byteorder": b"little", "version": b"3\n"}
    members |= {f"data/{key}": array.tobytes() for key, array in storages.items()}
    return archive({f"archive/{name}": data for name, data in members.items()})


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive of these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as zip_file:
        for name, data in members.items():
            zip_file.writestr(zipfile.ZipInfo(name), data, compression)
    return file.getvalue()


def legacy(tree: Any, **more: np.ndarray) -> bytes:
    """A file in the format before torch 1.6."""
    storages: dict[str, np.ndarray] = dict(more)
    tree = bind(tree, storages)
    magic = b"\x80\x02\x8a\x0a" + MAGIC + b"."
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2}}
    parts = [magic, *map(dumps, (1001, system, tree, list(storages)))]
    for array in storages.values():
        parts += [struct.pack("<q", array.size), array.tobytes()]
    return b"".join(parts)
