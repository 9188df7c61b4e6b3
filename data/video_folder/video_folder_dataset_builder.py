"""Any folder of videos, with captions beside them where there are some.

python -m data.build video_folder --source my/videos
"""

import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data.common import File, Item, Problem, Report, VideoBuilder
from data.common.builder import captions
from data.common.files import list_files, order

SPLITS = ("train", "val", "test")


class Builder(VideoBuilder):
    """Folders train, val and test at the top are the splits. Where there are none of them, every
    clip is for training, but for the share `held_out`, which is the split test (a clip stays on its
    side when others are added).

    The label is the folder that a clip is in, in case-insensitive order; -1 where there is none.
    The captions of a clip are the lines of the .txt file of the same name, or the string or list
    under "caption" in a .json file.
    """

    OPTIONS = {
        "source": "the folder of videos",
        "held_out": "the share of the clips to hold out, 0 to 1 (may be left out)",
    }

    def features(self):
        return captions() | {"label": np.int64}

    def items(self, report: Report) -> Iterator[Item]:
        source, share = self.path("source"), self._share()
        paths = {path.relative_to(source): path for path in list_files(source, report)}
        divided = any(here.parts[0] in SPLITS for here in paths if len(here.parts) > 1)
        folders = {here: here.parts[1:-1] if divided else here.parts[:-1] for here in paths}
        self.classes = tuple(sorted({f[0] for f in folders.values() if f}, key=order))
        labels = {name: label for label, name in enumerate(self.classes)}
        for here, path in paths.items():
            split = here.parts[0] if divided else _side(here.as_posix(), share)
            if split not in SPLITS:
                report.drop(here.as_posix(), f"it is in none of the folders {', '.join(SPLITS)}")
                continue
            said = beside(path, here.as_posix(), report)
            folder = folders[here]
            yield Item(
                key=here.as_posix(),
                splits=(split,),
                media=File(path),
                fields={
                    "label": labels[folder[0]] if folder else -1,
                    "captions": said,
                    "caption_ids": list(range(len(said))),
                },
            )

    def _share(self) -> float:
        text = self.options.get("held_out") or "0"
        try:
            share = float(text)
        except ValueError:
            share = -1.0
        if not 0 <= share < 1:
            raise Problem(f"--held-out is {text}: it is a number at least 0 and below 1")
        return share


def _side(name: str, share: float) -> str:
    return "test" if zlib.crc32(name.encode()) < share * 2**32 else "train"


def beside(path: Path, name: str, report: Report) -> list[str]:
    """The captions in the file of the same name beside a video, if there is one."""
    text, tree = path.with_suffix(".txt"), path.with_suffix(".json")
    try:
        if text.is_file():
            found = text.read_bytes().decode("utf-8-sig").splitlines()
        elif tree.is_file():
            told = json.loads(tree.read_bytes().decode("utf-8"))["caption"]
            found = [told] if isinstance(told, str) else list(told)
        else:
            return []
        return [line.strip() for line in found if line.strip()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        report.note(name, f"its captions cannot be read: {type(error).__name__}: {error}")
        return []
