"""Captions of the videos in a folder: from a CSV table, or from a file beside each video."""

import csv
import json
import logging
from collections.abc import Iterable
from pathlib import Path

log = logging.getLogger("vdm_jax.data")


def from_table(table: Path, keys: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The captions in a CSV `table` of each of `keys` (paths within the folder).

    The table has the columns `file` and `caption`, and one row per caption. `file` is a key, or a
    file name alone if only one video has it.

    Raises:
      FileNotFoundError: there is no table.
      ValueError: other columns, an empty caption, or an ambiguous file name.
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
    unknown = []
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
                unknown.append(name)
    if unknown:
        log.warning("%s: %d rows name no video, the first is %r", table, len(unknown), unknown[0])
    return {key: tuple(lines) for key, lines in captions.items()}


def from_sidecar(video: Path) -> tuple[str, ...]:
    """The captions in the .txt or .json file with the same name as `video`; () without a file.

    A .txt file has one caption a line, a .json file a string or a list under "caption".

    Raises:
      ValueError: the .json file has no "caption".
    """
    text, tree = video.with_suffix(".txt"), video.with_suffix(".json")
    if text.is_file():
        lines = text.read_text(encoding="utf-8").splitlines()
    elif tree.is_file():
        try:
            value = json.loads(tree.read_text(encoding="utf-8"))["caption"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f'{tree} is no JSON object with a "caption"') from error
        lines = [value] if isinstance(value, str) else list(value)
    else:
        return ()
    return tuple(line.strip() for line in lines if line.strip())
