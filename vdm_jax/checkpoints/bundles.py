"""TensorFlow checkpoints: `model.ckpt.index` and `model.ckpt.data-00000-of-00001`.

The index is a sorted table of blocks (leveldb's, doc/table_format.md) from names to protocol
buffers with a tensor's type, shape, offset and checksum (TensorFlow's tensor_bundle.proto); the
data file holds the bytes of all tensors. TensorFlow is not needed, and every checksum is verified.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from vdm_jax.checkpoints import snappy
from vdm_jax.checkpoints.crc32c import crc32c, mask
from vdm_jax.checkpoints.snappy import varint
from vdm_jax.checkpoints.store import CheckpointError
from vdm_jax.checkpoints.tensors import element_count, one_line

MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
FOOTER_BYTES = 48
MAX_INDEX_BYTES = 2**26
"""Limit for an index; one with a thousand tensors has about 100 kB."""
SUFFIX = ".index"
DTYPES: dict[int, Any] = dict(
    (
        *((1, np.float32), (2, np.float64), (3, np.int32), (4, np.uint8), (5, np.int16)),
        *((6, np.int8), (8, np.complex64), (9, np.int64), (10, np.bool_), (17, np.uint16)),
        *((14, ml_dtypes.bfloat16), (19, np.float16), (22, np.uint32), (23, np.uint64)),
    )
)
"""tensorflow/core/framework/types.proto; tensors of other types, such as strings, are skipped."""
DAMAGE = (OSError, ValueError, IndexError, KeyError, OverflowError, TypeError)


@dataclass(frozen=True)
class Entry:
    """A tensor in an index.

    dtype, shape: of the tensor.
    shard: number of its data file.
    offset, nbytes: its bytes in that file.
    crc32c: masked checksum of its bytes.
    """

    dtype: np.dtype
    shape: tuple[int, ...]
    shard: int
    offset: int
    nbytes: int
    crc32c: int


class Bundle(Mapping[str, np.ndarray]):
    """The tensors of a checkpoint by name, read on access."""

    def __init__(self, index: str | os.PathLike):
        self.path = Path(index)
        shards, self.entries = read_index(index)
        stem = self.path.name.removesuffix(SUFFIX)
        names = [f"{stem}.data-{i:05d}-of-{shards:05d}" for i in range(shards)]
        self.files = tuple(self.path.with_name(name) for name in names)
        for file in self.files:
            if not file.is_file():
                raise CheckpointError(
                    f"{index} is the index of a TensorFlow checkpoint, but its data file {file} is "
                    "missing: put it beside the index"
                )
        sizes = [file.stat().st_size for file in self.files]
        for name, entry in self.entries.items():
            end = entry.offset + entry.nbytes
            if end > sizes[entry.shard]:
                raise CheckpointError(
                    f"{self.files[entry.shard]} is {sizes[entry.shard]:,} bytes, but {name} ends "
                    f"at {end:,}: it is truncated; fetch it again"
                )

    def __iter__(self):
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, name: str) -> np.ndarray:
        entry = self.entries[name]
        with self.files[entry.shard].open("rb") as file:
            file.seek(entry.offset)
            data = file.read(entry.nbytes)
        checksum = mask(crc32c(data))
        if checksum != entry.crc32c:
            raise CheckpointError(
                f"{self.files[entry.shard]} is damaged or of another checkpoint: {name} has "
                f"CRC-32C {checksum}, but {self.path.name} states {entry.crc32c}"
            )
        return np.frombuffer(bytearray(data), entry.dtype).reshape(entry.shape)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor."""
        return self.entries[name].shape

    def dtype(self, name: str) -> np.dtype:
        """The type of a tensor's elements."""
        return self.entries[name].dtype


def read_index(path: str | os.PathLike) -> tuple[int, dict[str, Entry]]:
    """(number of data files, entry of every tensor) of an index, without its data.

    Raises:
      CheckpointError: it is no index, or a damaged one.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_INDEX_BYTES:
            raise ValueError(f"it is larger than {MAX_INDEX_BYTES:,} bytes")
        data = path.read_bytes()
        table = dict(_read_table(data))
        shards, entries = 1, {}
        for key, value in table.items():
            if key == b"":
                header, _ = _parse_message(value)
                shards = header.get(1, 0)
                if header.get(2, 0) != 0:
                    raise ValueError("its numbers are big-endian, which is not supported")
            else:
                entry = _parse_entry(value)
                if entry is not None:
                    entries[key.decode()] = entry
        if not 0 < shards <= 1024 or any(not e.shard < shards for e in entries.values()):
            raise ValueError(f"it has tensors outside its {shards} data files")
    except DAMAGE as error:
        raise CheckpointError(
            f"{path} is not a valid index of a TensorFlow checkpoint: {one_line(error)}"
        ) from None
    return shards, entries


def is_index(path: Path) -> bool:
    """Whether a file ends with the magic number of an index."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - len(MAGIC), 0))
        return file.read() == MAGIC


def _read_table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The (key, value) pairs of a table, in order."""
    if len(data) < FOOTER_BYTES or data[-8:] != MAGIC:
        raise ValueError("its magic number is missing")
    footer = data[-FOOTER_BYTES:]
    _, at = _block_handle(footer, 0)
    index, _ = _block_handle(footer, at)
    last: bytes | None = None
    for _, value in _read_block(data, *index):
        place, _ = _block_handle(value, 0)
        for key, item in _read_block(data, *place):
            if last is not None and key <= last:
                raise ValueError("its names are not sorted")
            yield key, item
            last = key


def _block_handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    """A block's (offset, size), and the offset after the handle."""
    offset, at = varint(data, at)
    count, at = varint(data, at)
    return (offset, count), at


def _read_block(data: bytes, offset: int, count: int) -> Iterator[tuple[bytes, bytes]]:
    """The (key, value) pairs of a block; keys share a prefix with the key before."""
    end = offset + count
    if end + 5 > len(data):
        raise ValueError("it is truncated")
    if mask(crc32c(data[offset : end + 1])) != int.from_bytes(data[end + 1 : end + 5], "little"):
        raise ValueError("a block has a wrong checksum")
    block = data[offset:end]
    if data[end] == 1:
        block = snappy.decompress(block)
    elif data[end] != 0:
        raise ValueError(f"a block has an unknown compression ({data[end]})")
    restarts = int.from_bytes(block[-4:], "little")
    stop = len(block) - 4 * (restarts + 1)
    if stop < 0:
        raise ValueError("a block is smaller than it states")
    at, key = 0, b""
    while at < stop:
        shared, at = varint(block, at)
        fresh, at = varint(block, at)
        length, at = varint(block, at)
        if shared > len(key) or at + fresh + length > stop:
            raise ValueError("a block has a name beyond its end")
        key = key[:shared] + block[at : at + fresh]
        at += fresh
        yield key, block[at : at + length]
        at += length


def _parse_entry(data: bytes) -> Entry | None:
    """A BundleEntryProto; None for a tensor of an unsupported type."""
    numbers, messages = _parse_message(data)
    if numbers.get(1, 0) not in DTYPES:
        return None
    dtype = np.dtype(DTYPES[numbers[1]])
    _, shapes = _parse_message(b"".join(messages.get(2, [])))
    shape = tuple(_parse_message(side)[0].get(1, 0) for side in shapes.get(2, []))
    if len(shape) > 32 or any(side >= 2**48 for side in shape):
        raise ValueError("a tensor has an impossible shape")
    shard, offset, nbytes, crc = (numbers.get(field, 0) for field in (3, 4, 5, 6))
    if element_count(shape) * dtype.itemsize != nbytes or 7 in messages:
        raise ValueError(f"a tensor of {shape} {dtype} has {nbytes:,} bytes, or is in slices")
    return Entry(dtype, shape, shard, offset, nbytes, crc)


def _parse_message(data: bytes) -> tuple[dict[int, int], dict[int, list[bytes]]]:
    """The numbers and the byte strings of a message by field (protobuf.dev, encoding)."""
    numbers: dict[int, int] = {}
    messages: dict[int, list[bytes]] = {}
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        field, kind = tag >> 3, tag & 7
        if kind == 0:
            numbers[field], at = varint(data, at)
            continue
        length = {1: 8, 5: 4}.get(kind, 0)  # fixed numbers of eight and four bytes
        if kind == 2:
            length, at = varint(data, at)
        value, at = data[at : at + length], at + length
        if at > len(data) or kind not in (1, 2, 5):
            raise ValueError("a field extends beyond its message, or has an unknown kind")
        if kind == 2:
            messages.setdefault(field, []).append(value)
        else:
            numbers[field] = int.from_bytes(value, "little")
    return numbers, messages
