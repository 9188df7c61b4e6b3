"""TFRecord files without TensorFlow: the byte ranges of their records."""

import struct
from pathlib import Path


def record_spans(path: Path) -> tuple[list[tuple[int, int]], str | None]:
    """(offset, length) in bytes of every complete record, and the error that ends the file, if any.

    A record is its length (8 bytes), a checksum (4), the bytes, and another checksum (4).
    """
    spans, size, start = [], path.stat().st_size, 0
    if size == 0:
        return [], "the file is empty"
    with path.open("rb") as file:
        while start < size:
            file.seek(start)
            head = file.read(12)
            length = struct.unpack("<Q", head[:8])[0] if len(head) == 12 else 0
            end = start + 12 + length + 4
            if len(head) < 12 or end > size:
                return spans, f"it is truncated within record {len(spans)}"
            spans.append((start + 12, length))
            start = end
    return spans, None
