"""UCF-101 (Soomro, Zamir and Shah 2012): 13,320 clips of 101 human actions, three official splits.

python -m data.build ucf101 --source UCF-101 --lists ucfTrainTestlist
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from data.common import BuildError, File, Item, Report, VideoBuilder
from data.common.files import list_files, read_lines

NAME = re.compile(r"v_(?P<action>\w+)_g(?P<group>\d+)_c(?P<clip>\d+)", re.IGNORECASE)


class Builder(VideoBuilder):
    """Labels are the numbers of classInd.txt minus one; sorted folders have a different order.

    The splits train01, test01, ... are the three pairs of lists; train and test are the first pair,
    which generative work uses; `all` is every listed clip.
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
        self.classes = read_classes(lists)
        labels = {name.casefold(): label for label, name in enumerate(self.classes)}
        splits_of: dict[str, list[str]] = {}  # by case-folded name
        missing: dict[str, str] = {}  # names as the lists spell them, by case-folded name
        for split in ("train01", "test01", "train02", "test02", "train03", "test03"):
            for entry in read_list(lists / f"{split[:-2]}list{split[-2:]}.txt", report):
                stem = Path(entry).stem
                missing.setdefault(stem.casefold(), stem)
                splits = splits_of.setdefault(stem.casefold(), [])
                if split in splits:
                    report.drop(f"{entry} (again)", f"it is twice in the list of {split}")
                else:
                    splits.append(split)
        if not splits_of:
            raise BuildError(f"{lists} holds no trainlist01.txt, testlist01.txt, ...")
        check_groups(splits_of)
        for path in list_files(source, report):
            stem = path.stem.casefold()
            match = NAME.fullmatch(path.stem)
            if match is None or match["action"].casefold() not in labels:
                report.drop(str(path.relative_to(source)), "its name is not one of UCF-101")
            elif stem not in splits_of:
                report.drop(str(path.relative_to(source)), "it is in no list")
            else:
                missing.pop(stem, None)
                label = labels[match["action"].casefold()]
                yield Item(
                    key=f"{self.classes[label]}/{path.stem}",
                    splits=tuple(splits_of[stem]),
                    media=File(path),
                    fields={
                        "label": label,
                        "group": int(match["group"]),
                        "clip": int(match["clip"]),
                    },
                )
        for stem in missing.values():
            report.drop(stem, "the lists name it, but the file is missing")


def read_classes(lists: Path) -> tuple[str, ...]:
    """The names of the labels 0, 1, ...: the lines `1 ApplyEyeMakeup` of classInd.txt, in order."""
    path = lists / "classInd.txt"
    if not path.is_file():
        raise BuildError(f"--lists: there is no {path}")
    rows = [line.split() for line in read_lines(path)]
    if any(len(row) != 2 or row[0] != str(n) for n, row in enumerate(rows, start=1)):
        raise BuildError(f"{path}: its lines are not of the form '1 ApplyEyeMakeup', from 1 on")
    return tuple(row[1] for row in rows)


def read_list(path: Path, report: Report) -> Iterator[str]:
    """The clips of a list; its lines may have a class folder before and a class number after."""
    if path.is_file():
        for number, line in enumerate(read_lines(path), start=1):
            entry = line.rsplit(" ", 1)[0] if line.rsplit(" ", 1)[-1].isdigit() else line
            if NAME.fullmatch(Path(entry).stem):
                yield entry
            else:
                report.drop(f"{path.name}, line {number}", f"no clip has the name {line!r}")


def check_groups(splits_of: dict[str, list[str]]) -> None:
    """Raises `BuildError` if a group, whose clips show one scene, is in both train and test."""
    sides: dict[tuple[str, str, str], str] = {}
    for stem, splits in splits_of.items():
        match = NAME.fullmatch(stem)
        assert match is not None
        for split in splits:
            side, number = split[:-2], split[-2:]
            first = sides.setdefault((match["action"].casefold(), match["group"], number), side)
            if first != side:
                raise BuildError(
                    f"the lists of split {number} have group {match['group']} of "
                    f"{match['action']} in both train and test ({stem}): use the official lists"
                )
