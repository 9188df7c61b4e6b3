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

from data.common import File, Item, Problem, Report, VideoBuilder
from data.common.files import list_files, order

SPLITS = {"train": "train", "val": "val", "validate": "val", "validation": "val", "test": "test"}
CUT = re.compile(r"(?P<id>.{11})_(?P<start>\d{6})_(?P<end>\d{6})")
COLUMNS = {"label", "youtube_id", "time_start", "time_end", "split"}


class Span(NamedTuple):
    """What a table tells of a clip."""

    label: str
    split: str
    start: float
    end: float


class Builder(VideoBuilder):
    """Clips are `<class>/<id>_<start>_<end>.mp4`, maybe below train, val and test. With `tables`,
    the official CSV files (label, youtube_id, time_start, time_end, split), these tell the label
    and the split, and clips that they name and that are gone are reported.

    A file named by the id alone is a whole video, of which each span that the tables name becomes a
    clip; where it is no longer than its span says, it is cut already. Labels are the classes in
    case-insensitive order.
    """

    OPTIONS = {
        "source": "the folder of the clips, in class folders",
        "tables": "the official CSV, or a folder of them (may be left out)",
    }

    def features(self):
        return {
            "label": tfds.features.ClassLabel(),
            "start": tfds.features.Scalar(np.float32, doc="seconds, in the video on the web"),
            "end": np.float32,
        }

    def items(self, report: Report) -> Iterator[Item]:
        source = self.path("source")
        told = spans(self.path("tables"), report) if self.options.get("tables") else {}
        paths = list(list_files(source, report))
        names = {span.label for span in told.values()} or {path.parent.name for path in paths}
        self.classes = tuple(sorted(names, key=order))
        labels = {name: label for label, name in enumerate(self.classes)}
        spans_of: dict[str, list[tuple[str, int]]] = {}  # for files named by the id alone
        for name in told:
            spans_of.setdefault(name[0], []).append(name)
        missing = dict(told)
        for path in paths:
            cut, here = CUT.fullmatch(path.stem), path.relative_to(source)
            if not told:
                split = next((SPLITS[p] for p in here.parts[:-2] if p in SPLITS), "train")
                start, end = (float(cut["start"]), float(cut["end"])) if cut else (0.0, -1.0)
                span = Span(path.parent.name, split, start, end)
                yield item(span, path.stem, path, labels)
                continue
            names = [(cut["id"], int(cut["start"]))] if cut else spans_of.get(path.stem, [])
            names = [name for name in names if name in told]
            if not names:
                report.drop(str(here), "no table tells of it")
            for name in names:
                missing.pop(name, None)
                span = told[name]
                stem = path.stem if cut else f"{name[0]}_{name[1]:06}_{int(span.end):06}"
                yield item(span, stem, path, labels, None if cut else (span.start, span.end))
        for name, start in missing:
            report.drop(f"{name}_{start:06}", "the tables name it, and there is no such file")


def item(
    span: Span,
    stem: str,
    path: Path,
    labels: dict[str, int],
    part: tuple[float, float] | None = None,
) -> Item:
    """A clip that is a file, or a part of one."""
    return Item(
        key=f"{span.label}/{stem}",
        splits=(span.split,),
        media=File(path),
        fields={"label": labels[span.label], "start": span.start, "end": span.end},
        span=part,
    )


def spans(tables: Path, report: Report) -> dict[tuple[str, int], Span]:
    """What the tables tell of each (id, start)."""
    found: dict[tuple[str, int], Span] = {}
    for path in [tables] if tables.is_file() else sorted(tables.rglob("*.csv")):
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            reader = csv.DictReader(file)
            if not set(reader.fieldnames or ()) >= COLUMNS:
                lacking = ", ".join(sorted(COLUMNS - set(reader.fieldnames or ())))
                raise Problem(f"{path}: its columns are {reader.fieldnames}, without {lacking}")
            for row in reader:
                here = f"{path.name}, line {reader.line_num}"
                try:
                    start, end = float(row["time_start"]), float(row["time_end"])
                    span = Span(row["label"], SPLITS[row["split"].strip()], start, end)
                except (ValueError, KeyError, TypeError, AttributeError):
                    report.drop(here, f"it is no span: {row}")
                    continue
                name = (row["youtube_id"].strip(), int(start))
                if name in found:
                    report.drop(here, f"{name[0]} at {name[1]} s was told of before")
                else:
                    found[name] = span
    if not found:
        raise Problem(f"--tables: {tables} tells of no clip")
    return found
