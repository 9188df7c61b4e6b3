"""Snappy decompression in bounded memory; TensorFlow compresses its indices with it.

(github.com/google/snappy, format_description.txt)
"""

MAX_RATIO = 32
"""Maximum compression ratio: a copy of 64 bytes takes 3."""


def decompress(data: bytes) -> bytes:
    """The uncompressed bytes of a block.

    Raises:
      ValueError, IndexError: it is damaged, or states an impossible length.
    """
    count, at = varint(data, 0)
    if count > MAX_RATIO * len(data):
        raise ValueError(f"a block of {len(data)} bytes cannot be {count:,} uncompressed")
    out = bytearray()
    while at < len(data):
        tag = data[at]
        kind, high = tag & 3, tag >> 2
        at += 1
        if kind == 0:  # literal bytes
            if high >= 60:
                wide = high - 59
                high, at = int.from_bytes(data[at : at + wide], "little"), at + wide
            piece = data[at : at + high + 1]
            if len(piece) != high + 1:
                raise ValueError("a compressed block is truncated")
            at += high + 1
        else:  # a copy of earlier output, which may overlap the new output
            if kind == 1:
                length, back = 4 + (high & 7), (tag >> 5 << 8) | data[at]
            else:
                length, back = high + 1, int.from_bytes(data[at : at + 2 * kind - 2], "little")
            at += (1, 2, 4)[kind - 1]
            if not 0 < back <= len(out):
                raise ValueError("a compressed block copies from before its start")
            piece = bytes(out[-back:][:length])
            piece = (piece * (length // len(piece) + 1))[:length]
        if len(out) + len(piece) > count:
            raise ValueError("a compressed block is larger than it states")
        out += piece
    if len(out) != count:
        raise ValueError("a compressed block is smaller than it states")
    return bytes(out)


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, low bits first, and the offset after it."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if not byte & 128:
            return value, at
        if shift > 63:
            raise ValueError("a number has no end")
