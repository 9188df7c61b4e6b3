"""Writer for TensorFlow's checkpoint format, without TensorFlow; also writes invalid files."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vdm_jax.checkpoints.bundles import DTYPES, MAGIC
from vdm_jax.checkpoints.crc32c import crc32c, mask

CODES = {np.dtype(dtype): code for code, dtype in DTYPES.items()}


def varint(value: int) -> bytes:
    """Seven bits a byte, low bits first."""
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number: int, value: int | bytes) -> bytes:
    """A field of a protocol buffer."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def entry(array: np.ndarray, start: int, **false: int) -> bytes:
    """A tensor's entry in an index; `false` replaces true values."""
    true = {"offset": start, "size": array.nbytes, "crc": mask(crc32c(array.tobytes()))}
    values = {"dtype": CODES[array.dtype], "shard": 0, **true, **false}
    shape = b"".join(field(2, field(1, side)) for side in array.shape)
    numbers = field(3, values["shard"]) + field(4, values["offset"]) + field(5, values["size"])
    crc = varint(6 << 3 | 5) + values["crc"].to_bytes(4, "little")
    return field(1, values["dtype"]) + field(2, shape) + numbers + crc


def block(pairs: list[tuple[bytes, bytes]], compress=None) -> bytes:
    """A block of a table: keys share a prefix with the key before."""
    data, last = b"", b""
    for key, value in pairs:
        shared = 0
        while shared < min(len(key), len(last)) and key[shared] == last[shared]:
            shared += 1
        data += varint(shared) + varint(len(key) - shared) + varint(len(value))
        data += key[shared:] + value
        last = key
    data += bytes(4) + (1).to_bytes(4, "little")
    data = data + b"\0" if compress is None else compress(data) + b"\1"
    return data + mask(crc32c(data)).to_bytes(4, "little")


def table(pairs: Mapping[bytes, bytes], compress=None, split: int = 5) -> bytes:
    """A table of blocks of `split` pairs each."""
    items, data, handles = sorted(pairs.items()), b"", []
    for i in range(0, len(items), split):
        part = block(items[i : i + split], compress)
        handle = varint(len(data)) + varint(len(part) - 5)
        handles.append((items[min(i + split, len(items)) - 1][0], handle))
        data += part
    footer = b""
    for part in (block([]), block(handles)):
        footer += varint(len(data)) + varint(len(part) - 5)
        data += part
    return data + footer.ljust(40, b"\0") + MAGIC


def literal(data: bytes) -> bytes:
    """Snappy compression as one literal."""
    return varint(len(data)) + b"\xf4" + (len(data) - 1).to_bytes(2, "little") + data


def write(path: Path, tensors: Mapping[str, np.ndarray], compress=None, false=None) -> Path:
    """Writes `path`.index and its one data file; returns the index. `false`: see `entry`."""
    entries, offset = {b"": field(1, 1) + field(3, field(1, 1))}, 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.data-00000-of-00001").open("wb") as data:
        for name, array in sorted(tensors.items()):
            entries[name.encode()] = entry(array, offset, **(false or {}).get(name, {}))
            offset += data.write(array.tobytes())
    index = path.with_name(f"{path.name}.index")
    index.write_bytes(table(entries, compress))
    return index
