"""Files as archives leave them: listed in one order everywhere, texts in any encoding."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path

from data.common.items import VIDEOS
from data.common.reports import Report

TEXTS = frozenset({".txt", ".csv", ".json", ".md", ".tsv", ".npy", ".tfrecords", ""})


def order(name: str) -> tuple[str, str]:
    """The key by which names are sorted, whatever the file system's own order: case aside."""
    return name.casefold(), name


def list_files(folder: Path, report: Report, endings: frozenset[str] = VIDEOS) -> Iterator[Path]:
    """The files below `folder` with one of `endings`; others but texts are told to the
    report."""
    found = [path for path in folder.rglob("*") if not path.name.startswith(".") and path.is_file()]
    for path in sorted(found, key=lambda path: order(str(path.relative_to(folder)))):
        ending = path.suffix.lower()
        if ending in endings:
            yield path
        elif ending not in TEXTS:
            report.drop(
                str(path.relative_to(folder)), f"its ending {ending} is not that of a video"
            )


def same(name: str) -> str:
    """A name for comparing: accents are one character or two, depending on the file system."""
    return unicodedata.normalize("NFC", name)


def text_of(path: Path) -> str:
    """A text; bytes that are no UTF-8 become the replacement character."""
    return path.read_bytes().decode("utf-8-sig", errors="replace")


def read_lines(path: Path) -> list[str]:
    """The lines of a text, without what ends them and without empty ones."""
    return [line.strip() for line in text_of(path).splitlines() if line.strip()]
