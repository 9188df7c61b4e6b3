"""Whether a file is as long as it says: what a download that stopped early gives away."""

import struct


def ends_early(data: bytes) -> str | None:
    """How much of the file is missing by its own account, or None where nothing is.

    An AVI states its length in its RIFF chunks, an MP4 that of each of its boxes.
    """
    if data[:4] == b"RIFF":
        stated = _riff(data)
    elif data[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        stated = _boxes(data)
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
