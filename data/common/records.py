"""TFRecord files without TensorFlow: where their records are."""

import struct
from pathlib import Path


def offsets(path: Path) -> tuple[list[tuple[int, int]], str | None]:
    """(offset, length) of every whole record, and what is wrong with the file, if anything.

    A record is its length (8 bytes), a checksum (4), the bytes, and another checksum (4).
    """
    found, size, place = [], path.stat().st_size, 0
    if size == 0:
        return [], "the file is empty"
    with path.open("rb") as file:
        while place < size:
            file.seek(place)
            head = file.read(12)
            length = struct.unpack("<Q", head[:8])[0] if len(head) == 12 else 0
            end = place + 12 + length + 4
            if len(head) < 12 or end > size:
                told = f"it is truncated: of its record {len(found)} only a part is there"
                return found, told
            found.append((place + 12, length))
            place = end
    return found, None
