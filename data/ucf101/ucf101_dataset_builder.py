"""UCF-101 (Soomro, Zamir and Shah 2012): 13,320 clips of 101 human actions, three official splits.

python -m data.build ucf101 --source UCF-101 --lists ucfTrainTestlist
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from data.common import File, Item, Problem, Report, VideoBuilder
from data.common.files import list_files, read_lines

NAME = re.compile(r"v_(?P<action>\w+)_g(?P<group>\d+)_c(?P<clip>\d+)", re.IGNORECASE)


class Builder(VideoBuilder):
    """Labels are those of classInd.txt minus one, in its order (that of sorted folders differs).

    The splits train01, test01, ... are those of the three pairs of lists, train and test the first
    of them, which generative work uses; `all` is everything in the lists.
    """

    OPTIONS = {
        "source": "the unpacked UCF-101: class folders, or all clips in one folder",
        "lists": "the folder ucfTrainTestlist, with classInd.txt and at least one pair of lists",
    }
    EXPECTED = {
        "train01": 9537, "test01": 3783, "train02": 9586, "test02": 3734, "train03": 9624,
        "test03": 3696, "all": 13320,
    }  # fmt: skip
    ALIASES = {"train": "train01", "test": "test01"}

    def features(self):
        return {
            "label": tfds.features.ClassLabel(),
            "group": tfds.features.Scalar(np.int64, doc="clips of a group show the same scene"),
            "clip": np.int64,
        }

    def items(self, report: Report) -> Iterator[Item]:
        source, lists = self.path("source"), self.path("lists")
        self.classes = classes(lists)
        labels = {name.casefold(): label for label, name in enumerate(self.classes)}
        member: dict[str, list[str]] = {}  # which splits a clip is in, by its name
        named: dict[str, str] = {}
        for split in ("train01", "test01", "train02", "test02", "train03", "test03"):
            for entry in entries(lists / f"{split[:-2]}list{split[-2:]}.txt", report):
                stem = Path(entry).stem
                named.setdefault(stem.casefold(), stem)
                splits = member.setdefault(stem.casefold(), [])
                if split in splits:
                    report.drop(f"{entry} (again)", f"it is twice in the list of {split}")
                else:
                    splits.append(split)
        if not member:
            raise Problem(f"{lists} holds no trainlist01.txt, testlist01.txt, ...")
        no_group_on_both_sides(member)
        for path in list_files(source, report):
            stem = path.stem.casefold()
            parts = NAME.fullmatch(path.stem)
            if parts is None or parts["action"].casefold() not in labels:
                report.drop(str(path.relative_to(source)), "its name is none of UCF-101")
            elif stem not in member:
                report.drop(str(path.relative_to(source)), "it is in no list")
            else:
                named.pop(stem, None)
                label = labels[parts["action"].casefold()]
                yield Item(
                    key=f"{self.classes[label]}/{path.stem}",
                    splits=tuple(member[stem]),
                    media=File(path),
                    fields={
                        "label": label,
                        "group": int(parts["group"]),
                        "clip": int(parts["clip"]),
                    },
                )
        for stem in named.values():
            report.drop(stem, "the lists name it, and there is no such file")


def classes(lists: Path) -> tuple[str, ...]:
    """The names of the labels 0, 1, ...: the lines `1 ApplyEyeMakeup` of classInd.txt, in order."""
    path = lists / "classInd.txt"
    if not path.is_file():
        raise Problem(f"--lists: there is no {path}")
    rows = [line.split() for line in read_lines(path)]
    if any(len(row) != 2 or row[0] != str(n) for n, row in enumerate(rows, start=1)):
        raise Problem(f"{path}: its lines are not of the form '1 ApplyEyeMakeup', from 1 on")
    return tuple(row[1] for row in rows)


def entries(path: Path, report: Report) -> Iterator[str]:
    """The clips of a list, with or without a class folder before and a class number behind."""
    if path.is_file():
        for number, line in enumerate(read_lines(path), start=1):
            entry = line.rsplit(" ", 1)[0] if line.rsplit(" ", 1)[-1].isdigit() else line
            if NAME.fullmatch(Path(entry).stem):
                yield entry
            else:
                report.drop(f"{path.name}, line {number}", f"no clip has the name {line!r}")


def no_group_on_both_sides(member: dict[str, list[str]]) -> None:
    """Clips of a group show the same scene: one in training and one in the test is a leak."""
    sides: dict[tuple[str, str, str], str] = {}
    for stem, splits in member.items():
        parts = NAME.fullmatch(stem)
        assert parts is not None
        for split in splits:
            side, number = split[:-2], split[-2:]
            seen = sides.setdefault((parts["action"].casefold(), parts["group"], number), side)
            if seen != side:
                raise Problem(
                    f"the lists of split {number} have group {parts['group']} of "
                    f"{parts['action']} in training and in the test ({stem}): take the "
                    "official lists"
                )
