"""Archives as they are downloaded, made small: a few tiny clips under all of the official names."""

import os
from pathlib import Path

from made import encode

LISTS = ("trainlist01", "testlist01", "trainlist02", "testlist02", "trainlist03", "testlist03")


def link(source: Path, target: Path) -> Path:
    """`source` under another name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, target)
    return target


def tiny(folder: Path, ending: str, count: int = 3) -> list[Path]:
    """Distinct clips of 6 frames of 16x16 pixels."""
    return [
        encode(folder / f"{n}{ending}", count=6, size=(16, 16), first=7 * n) for n in range(count)
    ]


def entries(lists: Path, name: str) -> list[str]:
    return [line.split()[0] for line in (lists / f"{name}.txt").read_text().split("\n") if line]


def ucf101(folder: Path, lists: Path, every: int = 1, ending: str = ".avi") -> Path:
    """UCF-101 as `lists` name it, or every so many of its clips."""
    clips = tiny(folder / "made", ending)
    names = sorted({*entries(lists, "trainlist01"), *entries(lists, "testlist01")})[::every]
    for number, name in enumerate(names):
        link(clips[number % len(clips)], folder / "UCF-101" / Path(name).with_suffix(ending))
    return folder / "UCF-101"


CLASSES = ("Archery", "HandstandPushups", "Punch")


def small_ucf101(folder: Path) -> tuple[Path, Path]:
    """Three classes of three groups of two clips, and lists as the official ones are written."""
    source, lists = folder / "UCF-101", folder / "ucfTrainTestlist"
    lists.mkdir(parents=True)
    index = "".join(f"{n} {name}\r\n" for n, name in enumerate(CLASSES, start=1))
    (lists / "classInd.txt").write_bytes(index.encode())
    told = dict.fromkeys(LISTS, "")
    for label, action in enumerate(CLASSES, start=1):
        for group in (1, 2, 3):
            for clip in (1, 2):
                spelt = action.replace("Handstand", "HandStand")  # as the real files are
                name = f"{action}/v_{spelt}_g{group:02}_c{clip:02}.avi"
                encode(source / name, count=8 + 4 * clip, first=group, fps=25 if group > 1 else 30)
                for split in (1, 2, 3):
                    if split == group:
                        told[f"testlist0{split}"] += f"{name}\r\n"
                    else:
                        told[f"trainlist0{split}"] += f"{name} {label}\r\n"
    for name, text in told.items():
        (lists / f"{name}.txt").write_bytes(f"{text}\r\n".encode())
    return source, lists
