"""What is told of the clips of MSR-VTT, in any of the forms in which it is handed around."""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.common import Report
from data.common.files import read_lines, text_of

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
"""The split that each of the usual lists tells."""
BENCHMARK = "MSRVTT_JSFUSION_test.csv"
SPLITS = {"train": "train", "validate": "val", "test": "test"}
ID = re.compile(r"video\d+")


@dataclass
class Told:
    """What is told of one clip."""

    splits: set[str] = field(default_factory=set)
    captions: dict[int, str] = field(default_factory=dict)
    benchmark: str | None = None
    category: int = -1
    start: float = 0.0
    end: float = 0.0


class Annotations(dict[str, Told]):
    """What is told of each clip, by its id (`video0`)."""

    def __missing__(self, name: str) -> Told:
        return self.setdefault(name, Told())


def official(name: str) -> str:
    """The split of a clip by its number, for files that do not tell it."""
    number = int(name.removeprefix("video"))
    return "train" if number < 6513 else "val" if number < 7010 else "test"


def read_json(path: Path, found: Annotations, report: Report) -> None:
    """The official JSON (videos, sentences), two of them merged, or COCO's form (annotations)."""
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
            _video(found, video)
        for row in tree.get("sentences", ()):
            _sentence(found, row["video_id"], int(row["sen_id"]), row["caption"], report)
        for row in tree.get("annotations", ()):
            found[row["image_id"]].splits.add(official(row["image_id"]))
            _sentence(found, row["image_id"], int(row.get("id", -1)), row["caption"], report)
    except (KeyError, TypeError, ValueError) as error:
        report.drop(path.name, f"it is not in the form of MSR-VTT: {type(error).__name__}: {error}")


def _video(found: Annotations, video: dict[str, Any]) -> None:
    told = found[video["video_id"]]
    told.splits.add(SPLITS[video["split"]])
    told.category = int(video["category"])
    told.start, told.end = float(video["start time"]), float(video["end time"])


def _sentence(found: Annotations, name: str, number: int, caption: str, report: Report) -> None:
    told = found[name]
    number = number if number >= 0 else -1 - len(told.captions)
    if told.captions.setdefault(number, caption) != caption:
        report.drop(f"sentence {number} of {name} (again)", "another has this id, and was taken")


def read_list(path: Path, found: Annotations, report: Report) -> None:
    """One of the usual lists: clips of a split, and for 1k-A the sentence of each."""
    split = LISTS[path.name]
    seen = set()
    for number, (name, sentence) in enumerate(_rows(path), start=1):
        if not ID.fullmatch(name):
            report.drop(f"{path.name}, row {number}", f"{name!r} is no id of MSR-VTT")
        elif name in seen:
            report.drop(f"{path.name}, row {number}", f"{name} is in it twice")
        else:
            seen.add(name)
            found[name].splits.add(split)
            found[name].benchmark = sentence or found[name].benchmark
            if sentence and "\ufffd" in sentence:
                report.note(name, f"its sentence in {path.name} is not UTF-8")


def _rows(path: Path) -> Iterator[tuple[str, str | None]]:
    """(id, sentence or None) of each row of a text or a table."""
    if path.suffix == ".txt":
        yield from ((line, None) for line in read_lines(path))
        return
    header, *lines = text_of(path).splitlines()
    if ";" in header:  # a dialect that never quotes
        names = [name.strip() for name in header.split(";")]
        rows = [dict(zip(names, line.split(";", len(names) - 1), strict=False)) for line in lines]
    else:
        rows = list(csv.DictReader([header, *lines]))
    for row in rows:
        if row.get("video_id"):
            yield row["video_id"].strip(), (row.get("sentence") or "").strip() or None
