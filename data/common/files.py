"""Files of archives: listed in the same order on every file system, texts in any encoding."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path

from data.common.items import VIDEOS
from data.common.reports import Report

TEXTS = frozenset({".txt", ".csv", ".json", ".md", ".tsv", ".npy", ".tfrecords", ""})


def sort_key(name: str) -> tuple[str, str]:
    """The key that sorts names case-insensitively, whatever the order of the file system."""
    return name.casefold(), name


def list_files(folder: Path, report: Report, endings: frozenset[str] = VIDEOS) -> Iterator[Path]:
    """The files below `folder` with one of `endings`; the report lists others but texts."""
    paths = [path for path in folder.rglob("*") if not path.name.startswith(".") and path.is_file()]
    for path in sorted(paths, key=lambda path: sort_key(str(path.relative_to(folder)))):
        ending = path.suffix.lower()
        if ending in endings:
            yield path
        elif ending not in TEXTS:
            report.drop(
                str(path.relative_to(folder)), f"its ending {ending} is not that of a video"
            )


def normalize_name(name: str) -> str:
    """A name in Unicode NFC, for comparison: file systems differ in how they store accents."""
    return unicodedata.normalize("NFC", name)


def read_text(path: Path) -> str:
    """The text of a file; bytes that are not UTF-8 become the replacement character."""
    return path.read_bytes().decode("utf-8-sig", errors="replace")


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, stripped, without empty ones."""
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]
