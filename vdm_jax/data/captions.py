"""Captions of the videos in a folder: a CSV table, or a file beside each video."""

import csv
import json
import logging
from collections.abc import Iterable
from pathlib import Path

log = logging.getLogger("vdm_jax.data")


def from_table(table: Path, keys: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The captions of each of `keys` (paths within the folder) that a CSV `table` knows.

    It has the columns `file` and `caption`, and a row per caption. `file` is a key, or a bare
    file name where only one video has it.
    """
    if not table.is_file():
        raise FileNotFoundError(
            f"no caption table {table}: it is a CSV file with the columns file,caption, "
            "its path relative to the folder of videos or absolute"
        )
    names: dict[str, list[str]] = {}
    for key in keys:
        for name in {key, key.rsplit("/", 1)[-1]}:
            names.setdefault(name, []).append(key)
    captions: dict[str, list[str]] = {}
    strangers = []
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if not {"file", "caption"} <= set(rows.fieldnames or ()):
            raise ValueError(f"{table}: its columns are {rows.fieldnames}, not file,caption")
        for row in rows:
            name, caption = (row["file"] or "").strip(), (row["caption"] or "").strip()
            if not caption:
                raise ValueError(f"{table}, line {rows.line_num}: no caption for {name!r}")
            owners = names.get(name, [])
            if len(owners) > 1 and name not in owners:
                raise ValueError(
                    f"{table}, line {rows.line_num}: {name!r} is the name of {len(owners)} "
                    f"videos; write its folder too, as in {owners[0]!r}"
                )
            if owners:
                captions.setdefault(name if name in owners else owners[0], []).append(caption)
            else:
                strangers.append(name)
    if strangers:
        log.warning(
            "%s: %d rows name no video, the first is %r", table, len(strangers), strangers[0]
        )
    return {key: tuple(lines) for key, lines in captions.items()}


def beside(video: Path) -> tuple[str, ...]:
    """The captions in the file of the same name beside `video`; none where there is no such file.

    A .txt file holds one caption per line, a .json file a string or a list under "caption".
    """
    text, tree = video.with_suffix(".txt"), video.with_suffix(".json")
    if text.is_file():
        lines = text.read_text(encoding="utf-8").splitlines()
    elif tree.is_file():
        try:
            found = json.loads(tree.read_text(encoding="utf-8"))["caption"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f'{tree} is no JSON object with a "caption"') from error
        lines = [found] if isinstance(found, str) else list(found)
    else:
        return ()
    return tuple(line.strip() for line in lines if line.strip())
