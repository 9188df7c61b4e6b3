"""CSV tables of clips or images: a path or an id, a caption, and optionally a duration."""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from data.common.files import normalize_name
from data.common.items import File, Item
from data.common.reports import BuildError, Report

PATHS = (
    "path", "file", "filename", "file_name", "filepath", "video_path", "video", "image_path",
    "image",
)  # fmt: skip
IDS = ("videoid", "video_id", "id", "key", "image_id", "youtube_id")
CAPTIONS = ("caption", "name", "text", "sentence", "description", "title")
DURATIONS = ("duration", "seconds", "length")
ISO_DURATION = re.compile(r"P(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?")


@dataclass(frozen=True)
class Columns:
    """The names of a table's columns.

    file: column with the path or the id.
    caption: column with the caption.
    duration: column with the duration, or None.
    folder: column with the folder of the file (WebVid's `page_dir`), or None.
    by_id: whether `file` holds ids.
    """

    file: str
    caption: str
    duration: str | None
    folder: str | None
    by_id: bool


def find_columns(path: Path, names: list[str], options: Mapping[str, str | None]) -> Columns:
    """The columns of a table: those that `options` name, else by their usual names.

    Raises:
      BuildError: a column is not found.
    """

    def find(kind: str, known: tuple[str, ...]) -> str | None:
        if chosen := options.get(f"{kind}_column"):
            if chosen not in names:
                raise BuildError(f"{path} has no column {chosen!r}, only {', '.join(names)}")
            return chosen
        lower = {name.strip().lower(): name for name in names}
        return next((lower[name] for name in known if name in lower), None)

    file, by_id = find("path", PATHS), False
    if file is None:
        file, by_id = find("id", IDS), True
    caption = find("caption", CAPTIONS)
    if file is None or caption is None:
        raise BuildError(
            f"{path} has the columns {', '.join(names)}, none of which is named "
            f"{'path or id' if file is None else 'caption'}; choose one with --path-column, "
            "--id-column or --caption-column"
        )
    folder = "page_dir" if by_id and "page_dir" in names else None
    return Columns(file, caption, find("duration", DURATIONS), folder, by_id)


def parse_duration(text: str) -> float | None:
    """Seconds from a number or from ISO 8601 (PT00H00M12S); None for other text."""
    try:
        return float(text)
    except ValueError:
        pass
    match = ISO_DURATION.fullmatch(text.strip())
    if not match or not any(match.groups()):
        return None
    hours, minutes, rest = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + rest


def read_table(
    table: Path,
    root: Path,
    split: str,
    options: Mapping[str, str | None],
    report: Report,
    endings: frozenset[str],
) -> Iterator[Item]:
    """The clips of a table whose files are below `root`; several rows of a file are its captions.

    options: the columns; see `find_columns`.
    endings: file name endings, with which ids are completed.
    """
    clips: dict[str, tuple[Path, list[str], float]] = {}
    with table.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.DictReader(file)
        if not reader.fieldnames:
            raise BuildError(f"{table} is empty: its first line names the columns")
        columns = find_columns(table, list(reader.fieldnames), options)
        stems = _FilesByStem(root, endings) if columns.by_id and columns.folder is None else None
        for row in reader:
            where = f"{table.name}, line {reader.line_num}"
            name, caption = (row[columns.file] or "").strip(), (row[columns.caption] or "").strip()
            if not name:
                report.drop(where, "it names no file")
            elif not _is_utf8(name) or not _is_utf8(caption):
                report.drop(where, "it is not UTF-8")
            elif not caption or caption.lower() == "nan":
                report.drop(f"{name} ({where})", "it has no caption")
            elif name in clips:
                if caption in clips[name][1]:
                    report.drop(f"{name} ({where})", "it repeats an earlier row")
                else:
                    clips[name][1].append(caption)
            else:
                path = _find_file(root, name, row.get(columns.folder or ""), stems, endings)
                if path is None:
                    report.drop(name, "the table names it, but the file is missing")
                else:
                    text = row[columns.duration] if columns.duration else None
                    seconds = parse_duration(text or "") if columns.duration else None
                    clips[name] = (path, [caption], seconds if seconds is not None else -1.0)
    for name, (path, captions, seconds) in clips.items():
        yield Item(
            key=name,
            splits=(split,),
            media=File(path),
            fields={
                "captions": captions,
                "caption_ids": list(range(len(captions))),
                "stated_seconds": seconds,
            },
        )


def _is_utf8(text: str) -> bool:
    return not any("\udc80" <= letter <= "\udcff" for letter in text)


class _FilesByStem:
    """The files below a folder, by name without ending."""

    def __init__(self, root: Path, endings: frozenset[str]):
        self._paths = {
            normalize_name(path.stem): path
            for path in sorted(root.rglob("*"), reverse=True)
            if path.suffix.lower() in endings
        }

    def get(self, name: str) -> Path | None:
        return self._paths.get(normalize_name(name))


def _find_file(
    root: Path, name: str, folder: str | None, stems: _FilesByStem | None, endings: frozenset[str]
) -> Path | None:
    """The file of a row: at its path, in WebVid's `page_dir`, or anywhere by its id."""
    if stems is not None:
        return stems.get(name)
    if folder is not None:
        folders = (root / folder, root / "videos" / folder, root)
        tries = [parent / f"{name}{end}" for parent in folders for end in sorted(endings)]
    else:
        tries = [root / name, root / normalize_name(name)]
    return next((path for path in tries if path.is_file()), None)
