"""Whether a file is as long as it says: what a download that stopped early gives away."""

import struct

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")


def ends_early(data: bytes) -> str | None:
    """What of the file is missing by its own account, or None where nothing is.

    An AVI (and a WebP) states the length of its RIFF chunks, an MP4 that of its boxes, Matroska and
    WebM that of their segment; PNG, JPEG and GIF have a mark at their end.
    """
    if data[:4] == b"RIFF":
        stated = _riff(data)
    elif data[4:8] in BOXES:
        stated = _boxes(data)
    elif data[:4] == EBML:
        stated = _segment(data)
    elif _unmarked(data):
        return "it is truncated: the mark at its end is missing"
    else:
        return None
    if stated <= len(data):
        return None
    return f"it is truncated: {len(data):,} of the {stated:,} bytes that it says it has"


def _riff(data: bytes) -> int:
    """Where the last of the RIFF chunks ends (files of more than 1 GB have several)."""
    place = 0
    while data[place : place + 4] == b"RIFF" and place + 8 <= len(data):
        place += 8 + struct.unpack_from("<I", data, place + 4)[0]
    return place


def _boxes(data: bytes) -> int:
    """Where the last of the boxes ends."""
    place = 0
    while place + 8 <= len(data):
        length = struct.unpack_from(">I", data, place)[0]
        if length == 1 and place + 16 <= len(data):
            length = struct.unpack_from(">Q", data, place + 8)[0]
        if length < 8:  # 0 says "to the end of the file"; anything else is not a box
            return len(data)
        place += length
    return place


def _segment(data: bytes) -> int:
    """Where the segment ends, which follows the header."""
    length, place = _varying(data, 4)
    place += length or 0
    if data[place : place + 4] != SEGMENT:
        return len(data)
    length, place = _varying(data, place + 4)
    return len(data) if length is None else place + length


def _varying(data: bytes, place: int) -> tuple[int | None, int]:
    """A number in EBML's varying length (None: not known), and the place behind it."""
    size = 9 - data[place].bit_length() if place < len(data) else 9
    if size > 8 or place + size > len(data):
        return None, len(data)
    value = int.from_bytes(data[place : place + size], "big") - (1 << 7 * size)
    return (None if value == (1 << 7 * size) - 1 else value), place + size


def _unmarked(data: bytes) -> bool:
    """Whether a picture lacks its end."""
    if data.startswith(PNG):
        return b"IEND" not in data[-64:]
    if data.startswith(JPEG):  # in a scan these two bytes are the end and nothing else
        return data.rfind(b"\xff\xd9") <= data.rfind(b"\xff\xda")
    return data[:4] == b"GIF8" and not data.rstrip(b"\0").endswith(b";")
