"""Any folder of videos, with optional captions beside them.

python -m data.build video_folder --source my/videos
"""

import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data.common import BuildError, File, Item, Report, VideoBuilder
from data.common.builder import caption_fields
from data.common.files import list_files, sort_key

SPLITS = ("train", "val", "test")


class Builder(VideoBuilder):
    """Top-level folders train, val and test are the splits. Without them, the fraction `held_out`
    of the clips is the split test and the rest is train; the split of a clip depends on its name
    alone.

    The label is the number of the clip's folder, in case-insensitive order; -1 if it has none. The
    captions are the lines of the .txt file with the same name, or the string or list under
    "caption" in the .json file.
    """

    OPTIONS = {
        "source": "the folder of videos",
        "held_out": "the fraction of the clips to hold out, 0 to 1 (optional)",
    }

    def features(self):
        return caption_fields() | {"label": np.int64}

    def items(self, report: Report) -> Iterator[Item]:
        source, fraction = self.path("source"), self._held_out_fraction()
        paths = {path.relative_to(source): path for path in list_files(source, report)}
        divided = any(name.parts[0] in SPLITS for name in paths if len(name.parts) > 1)
        folders = {name: name.parts[1:-1] if divided else name.parts[:-1] for name in paths}
        self.classes = tuple(sorted({f[0] for f in folders.values() if f}, key=sort_key))
        labels = {name: label for label, name in enumerate(self.classes)}
        for name, path in paths.items():
            split = name.parts[0] if divided else _random_split(name.as_posix(), fraction)
            if split not in SPLITS:
                report.drop(name.as_posix(), f"it is in none of the folders {', '.join(SPLITS)}")
                continue
            captions = read_captions(path, name.as_posix(), report)
            folder = folders[name]
            yield Item(
                key=name.as_posix(),
                splits=(split,),
                media=File(path),
                fields={
                    "label": labels[folder[0]] if folder else -1,
                    "captions": captions,
                    "caption_ids": list(range(len(captions))),
                },
            )

    def _held_out_fraction(self) -> float:
        text = self.options.get("held_out") or "0"
        try:
            fraction = float(text)
        except ValueError:
            fraction = -1.0
        if not 0 <= fraction < 1:
            raise BuildError(f"--held-out is {text}: it must be at least 0 and below 1")
        return fraction


def _random_split(name: str, fraction: float) -> str:
    return "test" if zlib.crc32(name.encode()) < fraction * 2**32 else "train"


def read_captions(path: Path, name: str, report: Report) -> list[str]:
    """The captions of a video, from the .txt or .json file with the same name; none without it."""
    text, tree = path.with_suffix(".txt"), path.with_suffix(".json")
    try:
        if text.is_file():
            captions = text.read_bytes().decode("utf-8-sig").splitlines()
        elif tree.is_file():
            value = json.loads(tree.read_bytes().decode("utf-8"))["caption"]
            captions = [value] if isinstance(value, str) else list(value)
        else:
            return []
        return [line.strip() for line in captions if line.strip()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        report.note(name, f"its captions cannot be read: {type(error).__name__}: {error}")
        return []
