"""The index of a built data set: what choosing clips needs to know, without reading the videos."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from array_record.python.array_record_module import ArrayRecordReader
from tensorflow_datasets.proto import tf_example_pb2

NUMBERS = ("frames", "height", "width", "label")
INDEX = "index.npz"


def write_index(folder: Path, shards: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Reads every record back, and writes one row of numbers for each; the count of each part.

    index.npz has the arrays "<part>/<column>", rows in the order of the records: key (bytes),
    frames, seconds, height, width, captions (how many), and label where there are labels.
    """
    columns, counts = {}, {}
    for part, names in shards.items():
        rows = [_row(record) for name in sorted(names) for record in _records(folder / name)]
        counts[part] = len(rows)
        for column in rows[0]:
            columns[f"{part}/{column}"] = np.array([row[column] for row in rows])
    with (folder / INDEX).open("wb") as file:
        np.savez(file, **columns)
    return counts


def _records(shard: Path, at_once: int = 32) -> Iterator[bytes]:
    reader = ArrayRecordReader(str(shard))
    count = reader.num_records()
    for start in range(0, count, at_once):
        yield from reader.read(list(range(start, min(start + at_once, count))))
    reader.close()


def _row(record: bytes) -> dict[str, int | float | bytes]:
    feature = tf_example_pb2.Example.FromString(record).features.feature
    row: dict[str, int | float | bytes] = {
        name: feature[name].int64_list.value[0] for name in NUMBERS if name in feature
    }
    row["key"] = feature["key"].bytes_list.value[0]
    row["seconds"] = feature["seconds"].float_list.value[0]
    row["captions"] = len(feature["captions"].bytes_list.value) if "captions" in feature else 0
    return row
