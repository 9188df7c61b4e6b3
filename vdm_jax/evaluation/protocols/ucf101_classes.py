"""UCF-101's classes: their order, how many videos each has, what papers call them in prompts."""

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

PROMPTS = ("class_name", "pyoco", "consisti2v", "snap_video")
"""The published sets of prompts: the raw name ("ApplyEyeMakeup"), or a phrase for each class."""
HISTOGRAMS = ("total", "train", "test", "equal")
"""How often classes occur: in all videos, in those of the first split's lists, or equally."""


@dataclass(frozen=True)
class UCFClass:
    """One class; `total` videos, of which `train` and `test` in the first split."""

    name: str
    total: int
    train: int
    test: int
    phrases: tuple[tuple[str, str], ...]

    def prompt(self, prompts: str) -> str:
        """What a zero-shot model is asked for, in one of the published sets `PROMPTS`."""
        if prompts == "class_name":
            return self.name
        known = dict(self.phrases)
        if prompts not in known:
            raise ValueError(f"unknown set of prompts {prompts!r}: one of {', '.join(PROMPTS)}")
        return known[prompts]

    def count(self, histogram: str) -> int:
        """How many videos the class has in one of `HISTOGRAMS`."""
        if histogram not in HISTOGRAMS:
            raise ValueError(f"unknown histogram {histogram!r}: one of {', '.join(HISTOGRAMS)}")
        return 1 if histogram == "equal" else getattr(self, histogram)


@cache
def ucf101_classes() -> tuple[UCFClass, ...]:
    """The 101 classes; the place of each is its label.

    The order is that of classInd.txt, which is not that of sorted folder names: Hammering comes
    before HammerThrow, and JumpingJack before JumpRope.
    """
    table = (
        resources.files("vdm_jax.evaluation.protocols")
        .joinpath("ucf101_classes.tsv")
        .read_text("utf-8")
    )
    lines = [line for line in table.splitlines() if not line.startswith("#")]
    return tuple(
        UCFClass(
            name=row["class"],
            total=int(row["total"]),
            train=int(row["train"]),
            test=int(row["test"]),
            phrases=tuple((name, row[name]) for name in PROMPTS[1:]),
        )
        for row in csv.DictReader(lines, delimiter="\t")
    )


def ucf101_label(key: str) -> int | None:
    """The label that the path of a video tells: `v_<Class>_g01_c01.avi`, or the folder's name."""
    folder, _, name = key.rpartition("/")
    named = _NAME.match(name)
    for word in (named["action"] if named else "", folder.rpartition("/")[2]):
        if word.casefold() in _labels():
            return _labels()[word.casefold()]
    return None


@cache
def _labels() -> dict[str, int]:
    # Files spell HandStandPushups what the class list calls HandstandPushups.
    return {c.name.casefold(): label for label, c in enumerate(ucf101_classes())}


_NAME = re.compile(r"v_(?P<action>[A-Za-z]+)_g\d+_c\d+")
