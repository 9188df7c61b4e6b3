"""Annotations of MSR-VTT, in all the formats in which they circulate."""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.common import Report
from data.common.files import read_lines, read_text

LISTS = {
    "train_list_full.txt": "train",
    "val_list_full.txt": "val",
    "test_list_full.txt": "test",
    "train_list_jsfusion.txt": "train_1k_a",
    "MSRVTT_train.9k.csv": "train_1k_a",
    "val_list_jsfusion.txt": "test_1k_a",
    "MSRVTT_JSFUSION_test.csv": "test_1k_a",
    "MSRVTT_train.7k.csv": "train_7k",
    "train_list_miech.txt": "train_1k_b",
    "test_list_miech.txt": "test_1k_b",
}
"""The split of each of the usual lists, by file name."""
BENCHMARK = "MSRVTT_JSFUSION_test.csv"
SPLITS = {"train": "train", "validate": "val", "test": "test"}
ID = re.compile(r"video\d+")


@dataclass
class ClipAnnotation:
    """The annotation of a clip.

    splits: names of the splits that contain it.
    captions: captions by sen_id; negative numbers for captions without one.
    benchmark: the caption that 1k-A uses, or None.
    category: 0 to 19, or -1 if unknown.
    start, end: span in the original video, in seconds.
    """

    splits: set[str] = field(default_factory=set)
    captions: dict[int, str] = field(default_factory=dict)
    benchmark: str | None = None
    category: int = -1
    start: float = 0.0
    end: float = 0.0


class Annotations(dict[str, ClipAnnotation]):
    """The annotation of each clip, by its id (`video0`); empty for a new id."""

    def __missing__(self, name: str) -> ClipAnnotation:
        return self.setdefault(name, ClipAnnotation())


def official_split(name: str) -> str:
    """The official split of a clip, from its number; for files without splits."""
    number = int(name.removeprefix("video"))
    return "train" if number < 6513 else "val" if number < 7010 else "test"


def read_json(path: Path, annotations: Annotations, report: Report) -> None:
    """Adds a JSON file: the official one, two merged, or one in COCO's format (`annotations`)."""
    try:
        tree = json.loads(path.read_bytes().decode("utf-8"))
    except UnicodeDecodeError as error:
        report.drop(path.name, f"it is not UTF-8, at byte {error.start}")
        return
    except ValueError as error:
        report.drop(path.name, f"it is not JSON: {error}")
        return
    if not isinstance(tree, dict) or not ({"sentences", "annotations"} & tree.keys()):
        report.note(path.name, "it holds neither sentences nor annotations, and is not used")
        return
    try:
        for video in tree.get("videos", ()):
            _add_video(annotations, video)
        for row in tree.get("sentences", ()):
            name, number = row["video_id"], int(row["sen_id"])
            _add_sentence(annotations, name, number, row["caption"], report)
        for row in tree.get("annotations", ()):
            name, number = row["image_id"], int(row.get("id", -1))
            annotations[name].splits.add(official_split(name))
            _add_sentence(annotations, name, number, row["caption"], report)
    except (KeyError, TypeError, ValueError) as error:
        problem = f"{type(error).__name__}: {error}"
        report.drop(path.name, f"it is not in the format of MSR-VTT: {problem}")


def _add_video(annotations: Annotations, video: dict[str, Any]) -> None:
    clip = annotations[video["video_id"]]
    clip.splits.add(SPLITS[video["split"]])
    clip.category = int(video["category"])
    clip.start, clip.end = float(video["start time"]), float(video["end time"])


def _add_sentence(
    annotations: Annotations, name: str, number: int, caption: str, report: Report
) -> None:
    clip = annotations[name]
    number = number if number >= 0 else -1 - len(clip.captions)
    if clip.captions.setdefault(number, caption) != caption:
        report.drop(f"sentence {number} of {name} (again)", "an earlier sentence has the same id")


def read_list(path: Path, annotations: Annotations, report: Report) -> None:
    """Adds one of the usual lists: the clips of a split, and for 1k-A the caption of each."""
    split = LISTS[path.name]
    seen = set()
    for number, (name, sentence) in enumerate(_read_rows(path), start=1):
        if not ID.fullmatch(name):
            report.drop(f"{path.name}, row {number}", f"{name!r} is no id of MSR-VTT")
        elif name in seen:
            report.drop(f"{path.name}, row {number}", f"{name} is in it twice")
        else:
            seen.add(name)
            annotations[name].splits.add(split)
            annotations[name].benchmark = sentence or annotations[name].benchmark
            if sentence and "\ufffd" in sentence:
                report.note(name, f"its sentence in {path.name} is not UTF-8")


def _read_rows(path: Path) -> Iterator[tuple[str, str | None]]:
    """(id, sentence or None) of each row of a text file or a table."""
    if path.suffix == ".txt":
        yield from ((line, None) for line in read_lines(path))
        return
    header, *lines = read_text(path).splitlines()
    if ";" in header:  # a dialect without quotes
        names = [name.strip() for name in header.split(";")]
        rows = [dict(zip(names, line.split(";", len(names) - 1), strict=False)) for line in lines]
    else:
        rows = list(csv.DictReader([header, *lines]))
    for row in rows:
        if row.get("video_id"):
            yield row["video_id"].strip(), (row.get("sentence") or "").strip() or None
