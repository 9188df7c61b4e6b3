"""The file format of TensorFlow's checkpoints written by hand, without TensorFlow."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vdm_jax.checkpoints.bundles import DTYPES, MAGIC
from vdm_jax.checkpoints.crc32c import crc32c, mask

CODES = {np.dtype(dtype): code for code, dtype in DTYPES.items()}


def varint(value: int) -> bytes:
    """Seven bits a byte, the low ones first."""
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number: int, value: int | bytes) -> bytes:
    """A field of a protocol buffer."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def entry(array: np.ndarray, offset: int, **lies: int) -> bytes:
    """What an index says of a tensor; `lies` replace what is true of it."""
    true = {"place": offset, "size": array.nbytes, "crc": mask(crc32c(array.tobytes()))}
    said = {"dtype": CODES[array.dtype], "shard": 0, **true, **lies}
    shape = b"".join(field(2, field(1, side)) for side in array.shape)
    numbers = field(3, said["shard"]) + field(4, said["place"]) + field(5, said["size"])
    crc = varint(6 << 3 | 5) + said["crc"].to_bytes(4, "little")
    return field(1, said["dtype"]) + field(2, shape) + numbers + crc


def block(pairs: list[tuple[bytes, bytes]], compress=None) -> bytes:
    """A block of a table: names say how much of the one before they begin with."""
    data, last = b"", b""
    for key, value in pairs:
        same = 0
        while same < min(len(key), len(last)) and key[same] == last[same]:
            same += 1
        data += varint(same) + varint(len(key) - same) + varint(len(value)) + key[same:] + value
        last = key
    data += bytes(4) + (1).to_bytes(4, "little")
    data = data + b"\0" if compress is None else compress(data) + b"\1"
    return data + mask(crc32c(data)).to_bytes(4, "little")


def table(pairs: Mapping[bytes, bytes], compress=None, split: int = 5) -> bytes:
    """A table of blocks of `split` pairs each."""
    items, data, places = sorted(pairs.items()), b"", []
    for i in range(0, len(items), split):
        made = block(items[i : i + split], compress)
        place = varint(len(data)) + varint(len(made) - 5)
        places.append((items[min(i + split, len(items)) - 1][0], place))
        data += made
    handles = b""
    for part in (block([]), block(places)):
        handles += varint(len(data)) + varint(len(part) - 5)
        data += part
    return data + handles.ljust(40, b"\0") + MAGIC


def literal(data: bytes) -> bytes:
    """Snappy's compression of bytes as they are."""
    return varint(len(data)) + b"\xf4" + (len(data) - 1).to_bytes(2, "little") + data


def write(path: Path, tensors: Mapping[str, np.ndarray], compress=None, lies=None) -> Path:
    """`path`.index and its one file of data; returns the index."""
    entries, place = {b"": field(1, 1) + field(3, field(1, 1))}, 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.data-00000-of-00001").open("wb") as data:
        for name, array in sorted(tensors.items()):
            entries[name.encode()] = entry(array, place, **(lies or {}).get(name, {}))
            place += data.write(array.tobytes())
    index = path.with_name(f"{path.name}.index")
    index.write_bytes(table(entries, compress))
    return index
