"""Small imitations of downloaded archives: a few tiny clips under all of the official names."""

import json
import os
import random
from pathlib import Path

from made import encode

LISTS = ("trainlist01", "testlist01", "trainlist02", "testlist02", "trainlist03", "testlist03")


def link(source: Path, target: Path) -> Path:
    """A hard link to `source`."""
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
    """UCF-101 as `lists` name it, or only every `every`-th of its clips."""
    clips = tiny(folder / "made", ending)
    names = sorted({*entries(lists, "trainlist01"), *entries(lists, "testlist01")})[::every]
    for number, name in enumerate(names):
        link(clips[number % len(clips)], folder / "UCF-101" / Path(name).with_suffix(ending))
    return folder / "UCF-101"


CLASSES = ("Archery", "HandstandPushups", "Punch")


def small_ucf101(folder: Path) -> tuple[Path, Path]:
    """Three classes of three groups of two clips, and lists in the official format."""
    source, lists = folder / "UCF-101", folder / "ucfTrainTestlist"
    lists.mkdir(parents=True)
    index = "".join(f"{n} {name}\r\n" for n, name in enumerate(CLASSES, start=1))
    (lists / "classInd.txt").write_bytes(index.encode())
    texts = dict.fromkeys(LISTS, "")
    for label, action in enumerate(CLASSES, start=1):
        for group in (1, 2, 3):
            for clip in (1, 2):
                spelling = action.replace("Handstand", "HandStand")  # as in the real files
                name = f"{action}/v_{spelling}_g{group:02}_c{clip:02}.avi"
                encode(source / name, count=8 + 4 * clip, first=group, fps=25 if group > 1 else 30)
                for split in (1, 2, 3):
                    if split == group:
                        texts[f"testlist0{split}"] += f"{name}\r\n"
                    else:
                        texts[f"trainlist0{split}"] += f"{name} {label}\r\n"
    for name, text in texts.items():
        (lists / f"{name}.txt").write_bytes(f"{text}\r\n".encode())
    return source, lists


def msr_vtt_json(numbers, captions: int = 20) -> dict:
    """The official JSON of some clips, shuffled; the keys of times contain a space."""
    videos, sentences = [], []
    for n in numbers:
        split = "train" if n < 6513 else "validate" if n < 7010 else "test"
        videos.append(
            {"video_id": f"video{n}", "id": n, "category": n % 20, "url": "", "split": split,
             "start time": 1.5, "end time": 11.5}
        )  # fmt: skip
        for k in range(captions):
            number = 20 * n + k
            sentences.append(
                {"sen_id": number, "video_id": f"video{n}", "caption": f"caption {number}"}
            )
    random.Random(0).shuffle(videos)
    random.Random(1).shuffle(sentences)
    return {"info": {"year": "2016"}, "videos": videos, "sentences": sentences}


def msr_vtt(folder: Path, numbers, captions: int = 20) -> Path:
    """MSR-VTT as unpacked from the official archives."""
    clips, source = tiny(folder / "made", ".mp4"), folder / "MSRVTT"
    parts = {
        "train_val": [n for n in numbers if n < 7010],
        "test": [n for n in numbers if n > 7009],
    }
    for name, members in parts.items():
        videos = source / ("TestVideo" if name == "test" else "TrainValVideo")
        videos.mkdir(parents=True, exist_ok=True)
        for n in members:
            os.link(clips[n % 3], videos / f"video{n}.mp4")
        tree = msr_vtt_json(members, captions)
        (source / f"{name}_videodatainfo.json").write_text(json.dumps(tree))
    return source
