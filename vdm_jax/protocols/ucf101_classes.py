"""UCF-101's classes: their order, numbers of videos, and prompts in papers."""

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

PROMPTS = ("class_name", "pyoco", "consisti2v", "snap_video")
"""The published sets of prompts: the raw name ("ApplyEyeMakeup"), or a phrase per class."""
HISTOGRAMS = ("total", "train", "test", "equal")
"""The class frequencies: of all videos, of the first split's train or test list, or equal."""


@dataclass(frozen=True)
class UCFClass:
    """One class.

    name: as in classInd.txt.
    total: number of videos.
    train: number in the first split's train list.
    test: number in the first split's test list.
    phrases: (prompt set, phrase) pairs.
    """

    name: str
    total: int
    train: int
    test: int
    phrases: tuple[tuple[str, str], ...]

    def prompt(self, prompt_set: str) -> str:
        """The prompt for this class, in one of the published sets `PROMPTS`."""
        if prompt_set == "class_name":
            return self.name
        phrases = dict(self.phrases)
        if prompt_set not in phrases:
            raise ValueError(f"prompt set {prompt_set!r} is not one of {', '.join(PROMPTS)}")
        return phrases[prompt_set]

    def count(self, histogram: str) -> int:
        """The class's number of videos in one of `HISTOGRAMS`."""
        if histogram not in HISTOGRAMS:
            raise ValueError(f"histogram {histogram!r} is not one of {', '.join(HISTOGRAMS)}")
        return 1 if histogram == "equal" else getattr(self, histogram)


@cache
def ucf101_classes() -> tuple[UCFClass, ...]:
    """The 101 classes, indexed by their labels.

    In the order of classInd.txt, which differs from sorted folder names: Hammering comes before
    HammerThrow, and JumpingJack before JumpRope.
    """
    table = resources.files("vdm_jax.protocols").joinpath("ucf101_classes.tsv").read_text("utf-8")
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
    """The label of a video by its path: from `v_<Class>_g01_c01.avi`, or from the folder's name."""
    folder, _, name = key.rpartition("/")
    named = _NAME.match(name)
    for word in (named["action"] if named else "", folder.rpartition("/")[2]):
        if word.casefold() in _labels():
            return _labels()[word.casefold()]
    return None


@cache
def _labels() -> dict[str, int]:
    # Case-insensitive: files have HandStandPushups, the class list has HandstandPushups.
    return {c.name.casefold(): label for label, c in enumerate(ucf101_classes())}


_NAME = re.compile(r"v_(?P<action>[A-Za-z]+)_g\d+_c\d+")
