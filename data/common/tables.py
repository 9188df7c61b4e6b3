"""CSV tables of clips or images: any file with a path or an id, a caption, and maybe a length."""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from data.common.files import same
from data.common.items import File, Item
from data.common.reports import Problem, Report

PATHS = (
    "path", "file", "filename", "file_name", "filepath", "video_path", "video", "image_path",
    "image",
)  # fmt: skip
IDS = ("videoid", "video_id", "id", "key", "image_id", "youtube_id")
CAPTIONS = ("caption", "name", "text", "sentence", "description", "title")
DURATIONS = ("duration", "seconds", "length")
ISO = re.compile(r"P(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?")


@dataclass(frozen=True)
class Columns:
    """Which column holds what; found by the usual names where they are not given."""

    place: str
    caption: str
    duration: str | None
    folder: str | None
    by_id: bool


def columns(path: Path, names: list[str], given: Mapping[str, str | None]) -> Columns:
    """The columns of a table. Raises `Problem` where one cannot be found."""

    def find(kind: str, known: tuple[str, ...]) -> str | None:
        if asked := given.get(f"{kind}_column"):
            if asked not in names:
                raise Problem(f"{path} has no column {asked!r}, only {', '.join(names)}")
            return asked
        lower = {name.strip().lower(): name for name in names}
        return next((lower[name] for name in known if name in lower), None)

    place, by_id = find("path", PATHS), False
    if place is None:
        place, by_id = find("id", IDS), True
    caption = find("caption", CAPTIONS)
    if place is None or caption is None:
        raise Problem(
            f"{path}: of its columns {', '.join(names)} none is called "
            f"{'path or id' if place is None else 'caption'}; say which with --path-column, "
            "--id-column or --caption-column"
        )
    folder = "page_dir" if by_id and "page_dir" in names else None
    return Columns(place, caption, find("duration", DURATIONS), folder, by_id)


def seconds(text: str) -> float | None:
    """A length: a number of seconds, or ISO 8601's PT00H00M12S. None where it is neither."""
    try:
        return float(text)
    except ValueError:
        pass
    found = ISO.fullmatch(text.strip())
    if not found or not any(found.groups()):
        return None
    hours, minutes, rest = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + rest


def rows(
    table: Path,
    root: Path,
    split: str,
    given: Mapping[str, str | None],
    report: Report,
    endings: frozenset[str],
) -> Iterator[Item]:
    """The clips of a table whose files are below `root`; rows of one file are its captions."""
    found: dict[str, tuple[Path, list[str], float]] = {}
    with table.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.DictReader(file)
        if not reader.fieldnames:
            raise Problem(f"{table} is empty: its first line names the columns")
        told = columns(table, list(reader.fieldnames), given)
        names = _Names(root, endings) if told.by_id and told.folder is None else None
        for row in reader:
            here = f"{table.name}, line {reader.line_num}"
            place, caption = (row[told.place] or "").strip(), (row[told.caption] or "").strip()
            if not place:
                report.drop(here, "it names no file")
            elif not _utf8(place) or not _utf8(caption):
                report.drop(here, "it is not UTF-8")
            elif not caption or caption.lower() == "nan":
                report.drop(f"{place} ({here})", "it has no caption")
            elif place in found:
                if caption in found[place][1]:
                    report.drop(f"{place} ({here})", "the same row was there before")
                else:
                    found[place][1].append(caption)
            else:
                path = _path(root, place, row.get(told.folder or ""), names, endings)
                if path is None:
                    report.drop(place, "the table names it, and there is no such file")
                else:
                    length = seconds(row[told.duration] or "") if told.duration else None
                    found[place] = (path, [caption], length if length is not None else -1.0)
    for place, (path, captions, length) in found.items():
        yield Item(
            key=place,
            splits=(split,),
            media=File(path),
            fields={
                "captions": captions,
                "caption_ids": list(range(len(captions))),
                "stated_seconds": length,
            },
        )


def _utf8(text: str) -> bool:
    return not any("\udc80" <= letter <= "\udcff" for letter in text)


class _Names:
    """The files below a folder by their names without ending."""

    def __init__(self, root: Path, endings: frozenset[str]):
        self._paths = {
            same(path.stem): path
            for path in sorted(root.rglob("*"), reverse=True)
            if path.suffix.lower() in endings
        }

    def get(self, name: str) -> Path | None:
        return self._paths.get(same(name))


def _path(
    root: Path, place: str, folder: str | None, names: _Names | None, endings: frozenset[str]
) -> Path | None:
    """The file of a row: at its path, in WebVid's `page_dir`, or anywhere by its id."""
    if names is not None:
        return names.get(place)
    if folder is not None:
        shelves = (root / folder, root / "videos" / folder, root)
        tries = [shelf / f"{place}{end}" for shelf in shelves for end in sorted(endings)]
    else:
        tries = [root / place, root / same(place)]
    return next((path for path in tries if path.is_file()), None)
