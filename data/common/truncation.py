"""Truncation of files: the length that a container states, compared with the file's length."""

import struct

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")


def truncation(data: bytes) -> str | None:
    """The error message for a truncated file; None if no truncation is detected.

    An AVI (and a WebP) states the length of its RIFF chunks, an MP4 that of its boxes, Matroska and
    WebM that of their segment; PNG, JPEG and GIF end with a marker.
    """
    if data[:4] == b"RIFF":
        stated = _riff_end(data)
    elif data[4:8] in BOXES:
        stated = _boxes_end(data)
    elif data[:4] == EBML:
        stated = _segment_end(data)
    elif _lacks_end_marker(data):
        return "it is truncated: its end marker is missing"
    else:
        return None
    if stated <= len(data):
        return None
    return f"it is truncated: {len(data):,} of the {stated:,} bytes that its header states"


def _riff_end(data: bytes) -> int:
    """The end of the last RIFF chunk (files of more than 1 GB have several)."""
    place = 0
    while data[place : place + 4] == b"RIFF" and place + 8 <= len(data):
        place += 8 + struct.unpack_from("<I", data, place + 4)[0]
    return place


def _boxes_end(data: bytes) -> int:
    """The end of the last MP4 box."""
    place = 0
    while place + 8 <= len(data):
        length = struct.unpack_from(">I", data, place)[0]
        if length == 1 and place + 16 <= len(data):
            length = struct.unpack_from(">Q", data, place + 8)[0]
        if length < 8:  # 0 means "to the end of the file"; other values are no box
            return len(data)
        place += length
    return place


def _segment_end(data: bytes) -> int:
    """The end of the Matroska segment, which follows the EBML header."""
    length, place = _varint(data, 4)
    place += length or 0
    if data[place : place + 4] != SEGMENT:
        return len(data)
    length, place = _varint(data, place + 4)
    return len(data) if length is None else place + length


def _varint(data: bytes, place: int) -> tuple[int | None, int]:
    """An EBML variable-length integer (None: unknown), and the offset after it."""
    size = 9 - data[place].bit_length() if place < len(data) else 9
    if size > 8 or place + size > len(data):
        return None, len(data)
    value = int.from_bytes(data[place : place + size], "big") - (1 << 7 * size)
    return (None if value == (1 << 7 * size) - 1 else value), place + size


def _lacks_end_marker(data: bytes) -> bool:
    """Whether a PNG, JPEG or GIF image has no end marker."""
    if data.startswith(PNG):
        return b"IEND" not in data[-64:]
    if data.startswith(JPEG):  # within scan data these two bytes occur only as the end marker
        return data.rfind(b"\xff\xd9") <= data.rfind(b"\xff\xda")
    return data[:4] == b"GIF8" and not data.rstrip(b"\0").endswith(b";")
