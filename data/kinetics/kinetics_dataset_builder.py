"""Kinetics-400, -600 and -700 (Kay et al. 2017, Carreira et al. 2018, 2019).

python -m data.build kinetics --source kinetics600 --tables annotations
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from data.common import BuildError, File, Item, Report, VideoBuilder
from data.common.files import list_files, sort_key

SPLITS = {"train": "train", "val": "val", "validate": "val", "validation": "val", "test": "test"}
TRIMMED = re.compile(r"(?P<id>.{11})_(?P<start>\d{6})_(?P<end>\d{6})")
COLUMNS = {"label", "youtube_id", "time_start", "time_end", "split"}


class Annotation(NamedTuple):
    """The annotation of a clip.

    label: class name.
    split: train, val or test.
    start, end: span in the original video, in seconds.
    """

    label: str
    split: str
    start: float
    end: float


class Builder(VideoBuilder):
    """Clips are `<class>/<id>_<start>_<end>.mp4`, optionally below train, val and test.

    `tables` are the official CSV files (label, youtube_id, time_start, time_end, split). With them,
    they give label and split, and clips that they name but that are missing are reported.

    A file named by the id alone is an untrimmed video: each span that the tables name becomes a
    clip. If it is no longer than its span, it counts as trimmed. Labels are the classes in
    case-insensitive order.
    """

    OPTIONS = {
        "source": "the folder of the clips, in class folders",
        "tables": "the official CSV, or a folder of them (optional)",
    }

    def features(self):
        return {
            "label": tfds.features.ClassLabel(),
            "start": tfds.features.Scalar(np.float32, doc="seconds, in the original video"),
            "end": np.float32,
        }

    def items(self, report: Report) -> Iterator[Item]:
        source = self.path("source")
        tables = self.options.get("tables")
        annotations = read_annotations(self.path("tables"), report) if tables else {}
        paths = list(list_files(source, report))
        labels = {a.label for a in annotations.values()} or {path.parent.name for path in paths}
        self.classes = tuple(sorted(labels, key=sort_key))
        numbers = {name: number for number, name in enumerate(self.classes)}
        clips_of: dict[str, list[tuple[str, int]]] = {}  # for files named by the id alone
        for clip in annotations:
            clips_of.setdefault(clip[0], []).append(clip)
        missing = dict(annotations)
        for path in paths:
            trimmed, relative = TRIMMED.fullmatch(path.stem), path.relative_to(source)
            if not annotations:
                split = next((SPLITS[p] for p in relative.parts[:-2] if p in SPLITS), "train")
                start, end = 0.0, -1.0
                if trimmed:
                    start, end = float(trimmed["start"]), float(trimmed["end"])
                annotation = Annotation(path.parent.name, split, start, end)
                yield make_item(annotation, path.stem, path, numbers)
                continue
            clips = clips_of.get(path.stem, [])
            if trimmed:
                clips = [(trimmed["id"], int(trimmed["start"]))]
            clips = [clip for clip in clips if clip in annotations]
            if not clips:
                report.drop(str(relative), "no table names it")
            for clip in clips:
                missing.pop(clip, None)
                one = annotations[clip]
                stem = path.stem if trimmed else f"{clip[0]}_{clip[1]:06}_{int(one.end):06}"
                span = None if trimmed else (one.start, one.end)
                yield make_item(one, stem, path, numbers, span)
        for name, start in missing:
            report.drop(f"{name}_{start:06}", "the tables name it, but the file is missing")


def make_item(
    annotation: Annotation,
    stem: str,
    path: Path,
    labels: dict[str, int],
    span: tuple[float, float] | None = None,
) -> Item:
    """A clip that is a file, or the `span` of one in seconds."""
    return Item(
        key=f"{annotation.label}/{stem}",
        splits=(annotation.split,),
        media=File(path),
        fields={
            "label": labels[annotation.label],
            "start": annotation.start,
            "end": annotation.end,
        },
        span=span,
    )


def read_annotations(tables: Path, report: Report) -> dict[tuple[str, int], Annotation]:
    """The annotations of the tables, by (id, start)."""
    annotations: dict[tuple[str, int], Annotation] = {}
    for path in [tables] if tables.is_file() else sorted(tables.rglob("*.csv")):
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            reader = csv.DictReader(file)
            if not set(reader.fieldnames or ()) >= COLUMNS:
                lacking = ", ".join(sorted(COLUMNS - set(reader.fieldnames or ())))
                raise BuildError(f"{path} has the columns {reader.fieldnames}, without {lacking}")
            for row in reader:
                where = f"{path.name}, line {reader.line_num}"
                try:
                    start, end = float(row["time_start"]), float(row["time_end"])
                    split = SPLITS[row["split"].strip()]
                    annotation = Annotation(row["label"], split, start, end)
                except (ValueError, KeyError, TypeError, AttributeError):
                    report.drop(where, f"it is no span: {row}")
                    continue
                clip = (row["youtube_id"].strip(), int(start))
                if clip in annotations:
                    report.drop(where, f"it repeats {clip[0]} at {clip[1]} s")
                else:
                    annotations[clip] = annotation
    if not annotations:
        raise BuildError(f"--tables: {tables} names no clip")
    return annotations
