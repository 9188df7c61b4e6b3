"""Readers of video lists and caption tables in the formats of published data sets."""

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

from vdm_jax.protocols.video_files import stem


def read_list(path: str | os.PathLike) -> list[str]:
    """The videos of a list: the first word of each line, or a .csv's column video_id.

    Such as UCF-101's trainlist01.txt and MSR-VTT's test_list_full.txt.
    """
    text = Path(path).read_text("utf-8-sig")
    if Path(path).suffix.lower() == ".csv":
        return [row["video_id"] for row in _rows(text, path, ("video_id",))]
    names = [line.split()[0] for line in text.splitlines() if line.strip()]
    if not names:
        raise ValueError(f"{path} names no video: a list has one name per line")
    return names


def read_captions(path: str | os.PathLike) -> Callable[[str], tuple[str, ...]]:
    """A function from a video's name to its captions.

    Reads MSR-VTT's JSON, 1k-A's CSV, or a CSV with the columns file,caption.

    Raises:
      ValueError: the file has none of these formats.
    """
    path, captions = Path(path), {}
    if path.suffix.lower() == ".json":
        for name, caption in _sentences(path):
            captions.setdefault(stem(name), []).append(caption)
    else:
        text = path.read_text("utf-8-sig")
        columns = ("video_id", "sentence") if "video_id" in text[:200] else ("file", "caption")
        for row in _rows(text, path, columns):
            captions.setdefault(stem(row[columns[0]]), []).append(row[columns[1]].strip())
    return lambda name: tuple(captions.get(name, ()))


def _sentences(path: Path) -> list[tuple[str, str]]:
    """The (video, caption) pairs of MSR-VTT's JSON in the order of their ids."""
    try:
        tree = json.loads(path.read_text("utf-8"))
        rows = tree["sentences"] if "sentences" in tree else tree["annotations"]
        order = sorted(rows, key=lambda row: row.get("sen_id", row.get("id", 0)))
        return [(row.get("video_id", row.get("image_id")), row["caption"]) for row in order]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is not JSON in the format of MSR-VTT, with sentences of video_id and caption: "
            f"{type(error).__name__} {error}"
        ) from error


def _rows(text: str, path: str | os.PathLike, columns: tuple[str, ...]) -> list[dict[str, str]]:
    header = text.partition("\n")[0]
    if ";" in header and "," not in header:  # the variant of 1k-A's table without quotes
        rows = csv.DictReader(io.StringIO(text), delimiter=";", quoting=csv.QUOTE_NONE)
    else:
        rows = csv.DictReader(io.StringIO(text))
    if not set(columns) <= set(rows.fieldnames or ()):
        raise ValueError(f"{path} has the columns {rows.fieldnames}, not {', '.join(columns)}")
    return list(rows)
