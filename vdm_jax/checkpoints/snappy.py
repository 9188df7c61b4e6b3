"""Snappy, the compression of TensorFlow's indices: blocks undone in a bounded memory.

(github.com/google/snappy, format_description.txt)
"""

RATIO = 32
"""How much a byte can become: a copy of 64 bytes takes 3."""


def decompress(data: bytes) -> bytes:
    """The bytes that a compressed block is of.

    Raises:
      ValueError, IndexError: it is damaged, or says that it is larger than it can be.
    """
    count, at = varint(data, 0)
    if count > RATIO * len(data):
        raise ValueError(f"a block of {len(data)} bytes cannot be {count:,} uncompressed")
    made = bytearray()
    while at < len(data):
        tag = data[at]
        kind, high = tag & 3, tag >> 2
        at += 1
        if kind == 0:  # these bytes
            if high >= 60:
                wide = high - 59
                high, at = int.from_bytes(data[at : at + wide], "little"), at + wide
            piece = data[at : at + high + 1]
            if len(piece) != high + 1:
                raise ValueError("a compressed block ends in the middle")
            at += high + 1
        else:  # these again, which may overlap what they make
            if kind == 1:
                length, back = 4 + (high & 7), (tag >> 5 << 8) | data[at]
            else:
                length, back = high + 1, int.from_bytes(data[at : at + 2 * kind - 2], "little")
            at += (1, 2, 4)[kind - 1]
            if not 0 < back <= len(made):
                raise ValueError("a compressed block repeats what was not there")
            piece = bytes(made[-back:][:length])
            piece = (piece * (length // len(piece) + 1))[:length]
        if len(made) + len(piece) > count:
            raise ValueError("a compressed block is larger than it says")
        made += piece
    if len(made) != count:
        raise ValueError("a compressed block is smaller than it says")
    return bytes(made)


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the low ones first, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if not byte & 128:
            return value, at
        if shift > 63:
            raise ValueError("a number has no end")
