"""Lists of videos and tables of captions, in the forms in which data sets come."""

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

from vdm_jax.evaluation.protocols.video_files import stem


def read_list(path: str | os.PathLike) -> list[str]:
    """The videos that a list names: a line each, which may go on with a class after a space.

    UCF-101's trainlist01.txt, MSR-VTT's test_list_full.txt; of a .csv the column video_id.
    """
    text = Path(path).read_text("utf-8-sig")
    if Path(path).suffix.lower() == ".csv":
        return [row["video_id"] for row in _rows(text, path, ("video_id",))]
    names = [line.split()[0] for line in text.splitlines() if line.strip()]
    if not names:
        raise ValueError(f"{path} names no video: it is a list with a name on each line")
    return names


def read_captions(path: str | os.PathLike) -> Callable[[str], tuple[str, ...]]:
    """The captions of a video by its name: MSR-VTT's JSON, 1k-A's CSV, or columns file,caption.

    Raises:
      ValueError: a file of none of these forms.
    """
    path, found = Path(path), {}
    if path.suffix.lower() == ".json":
        for name, caption in _sentences(path):
            found.setdefault(stem(name), []).append(caption)
    else:
        text = path.read_text("utf-8-sig")
        columns = ("video_id", "sentence") if "video_id" in text[:200] else ("file", "caption")
        for row in _rows(text, path, columns):
            found.setdefault(stem(row[columns[0]]), []).append(row[columns[1]].strip())
    return lambda name: tuple(found.get(name, ()))


def _sentences(path: Path) -> list[tuple[str, str]]:
    """(video, caption) pairs of MSR-VTT's JSON in the order of their ids."""
    try:
        tree = json.loads(path.read_text("utf-8"))
        rows = tree["sentences"] if "sentences" in tree else tree["annotations"]
        order = sorted(rows, key=lambda row: row.get("sen_id", row.get("id", 0)))
        return [(row.get("video_id", row.get("image_id")), row["caption"]) for row in order]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is not JSON in the form of MSR-VTT, with sentences of video_id and caption: "
            f"{type(error).__name__} {error}"
        ) from error


def _rows(text: str, path: str | os.PathLike, columns: tuple[str, ...]) -> list[dict[str, str]]:
    header = text.partition("\n")[0]
    if ";" in header and "," not in header:  # a dialect of 1k-A's table, which never quotes
        rows = csv.DictReader(io.StringIO(text), delimiter=";", quoting=csv.QUOTE_NONE)
    else:
        rows = csv.DictReader(io.StringIO(text))
    if not set(columns) <= set(rows.fieldnames or ()):
        raise ValueError(f"{path} has the columns {rows.fieldnames}, not {', '.join(columns)}")
    return list(rows)
