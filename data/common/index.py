"""The index of a built data set: what the choice of clips depends on, without the videos."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from array_record.python.array_record_module import ArrayRecordReader
from tensorflow_datasets.proto import tf_example_pb2

NUMBERS = ("frames", "height", "width", "label")
INDEX = "index.npz"


def write_index(folder: Path, shards: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Writes index.npz from the records; returns the number of records of each shard group.

    shards: file names, by shard group.

    index.npz has the arrays "<group>/<column>" in the order of the records: key (bytes), frames,
    seconds, height, width, captions (how many), and label if the data set has labels.
    """
    columns, counts = {}, {}
    for group, names in shards.items():
        rows = [_row(record) for name in sorted(names) for record in _records(folder / name)]
        counts[group] = len(rows)
        for column in rows[0]:
            columns[f"{group}/{column}"] = np.array([row[column] for row in rows])
    with (folder / INDEX).open("wb") as file:
        np.savez(file, **columns)
    return counts


def _records(shard: Path, batch: int = 32) -> Iterator[bytes]:
    reader = ArrayRecordReader(str(shard))
    count = reader.num_records()
    for start in range(0, count, batch):
        yield from reader.read(list(range(start, min(start + batch, count))))
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
