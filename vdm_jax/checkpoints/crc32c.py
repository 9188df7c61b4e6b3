"""CRC-32C (Castagnoli), the checksum of TensorFlow's files, at 100 MB/s in numpy.

The remainder is linear in the message: many lanes are divided in parallel, byte by byte, and their
remainders combined in pairs, the left one shifted past the right one (RFC 3720, appendix B.4).
"""

import numpy as np

POLYNOMIAL = 0x82F63B78  # lowest power first
LANES = 2**14
MASK = 0xA282EAD8


def _table() -> np.ndarray:
    """The remainder of each byte."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> 1) ^ np.where(table & 1, np.uint32(POLYNOMIAL), np.uint32(0))
    return table


TABLE = _table()


def crc32c(data: bytes | memoryview | np.ndarray) -> int:
    """The checksum of bytes: `crc32c(b"123456789") == 0xE3069283`."""
    left = np.frombuffer(data, np.uint8)
    state = np.full(1, 0xFFFFFFFF, np.uint32)
    lanes = 1 << max(len(left) // 64, 1).bit_length() - 1
    lanes = min(lanes, LANES)
    length = len(left) // lanes
    body = left[: lanes * length].reshape(lanes, length)
    states = np.zeros(lanes, np.uint32)
    states[:1] = state
    for column in np.ascontiguousarray(body.T):
        states = TABLE[(states ^ column) & 0xFF] ^ (states >> 8)
    past = _shift_map(length)
    while len(states) > 1:
        states = _apply(past, states[0::2]) ^ states[1::2]
        past = _apply(past, past)
    last = int(states[0])
    for byte in left[lanes * length :].tolist():
        last = int(TABLE[(last ^ byte) & 0xFF]) ^ (last >> 8)
    return last ^ 0xFFFFFFFF


def mask(crc: int) -> int:
    """A checksum as TensorFlow stores it: rotated by 15 bits, plus a constant."""
    return (((crc >> 15) | (crc << 17)) + MASK) & 0xFFFFFFFF


def _apply(matrix: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Applies a linear map to remainders; `matrix[i]` is the image of bit i."""
    bits = (states[:, None] >> np.arange(32, dtype=np.uint32)[None]) & 1
    return np.bitwise_xor.reduce(np.where(bits, matrix[None], np.uint32(0)), axis=1)


def _shift_map(length: int) -> np.ndarray:
    """The map that shifts a remainder past `length` zero bytes, by repeated squaring."""
    one = np.left_shift(np.uint32(1), np.arange(32, dtype=np.uint32))
    byte = TABLE[one & 0xFF] ^ (one >> 8)
    result = one
    while length:
        if length & 1:
            result = _apply(byte, result)
        byte = _apply(byte, byte)
        length >>= 1
    return result
