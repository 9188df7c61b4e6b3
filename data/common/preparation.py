"""The dear part of a build, on all cores: every file looked into, and copied where asked.

What is done is kept in a journal, so that a build that was stopped goes on where it was.
"""

import hashlib
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data.common.containers import ends_early
from data.common.copies import Copy, length, remux
from data.common.items import Item
from data.common.videos import Facts, Unusable, probe


def prepare(item: Item, copy: Copy | None) -> tuple[bytes, dict[str, Any]]:
    """The bytes to store, and the facts about them. Raises `Unusable`."""
    data = item.media.read()
    if item.span is not None and data and length(data) > item.span[1] - item.span[0] + 1:
        data, facts = _cut(data, *item.span)
    else:
        facts = probe(data)
    if copy is not None:
        data, facts = copy(data, facts)
    return data, facts.record() | item.media.details()


def _cut(data: bytes, start: float, end: float) -> tuple[bytes, Facts]:
    """A part of a video, from the keyframe before it, and the facts of that part alone."""
    if reason := ends_early(data):
        raise Unusable(reason)
    part = remux(data, start, end)
    return part, probe(part).within(start, end)


def _outcome(item: Item, copy: Copy | None, copies: Path) -> dict[str, Any]:
    """The journal's entry about an item; a smaller copy goes into a file of its own."""
    entry: dict[str, Any] = {"key": item.key, "identity": item.media.identity()}
    try:
        data, entry["facts"] = prepare(item, copy)
    except Unusable as reason:
        return entry | {"dropped": str(reason)}
    except Exception as error:  # a decoder's surprise with one file is no reason to lose the others
        return entry | {"dropped": f"{type(error).__name__}: {error}"}
    if copy is not None or item.span is not None:
        file = copies / hashlib.sha1(item.key.encode()).hexdigest()
        part = file.with_suffix(".part")
        part.write_bytes(data)
        part.replace(file)
        entry["copy"] = str(file)
    return entry


@dataclass
class Preparation:
    """The work on a list of items, kept in `folder`."""

    folder: Path
    copy: Copy | None = None
    jobs: int = 1

    def run(self, items: Sequence[Item]) -> dict[str, dict[str, Any]]:
        """The journal's entries by key, for every item; those already in the journal are not
        done again."""
        copies = self.folder / "copies"
        copies.mkdir(parents=True, exist_ok=True)
        journal = self.folder / "journal.jsonl"
        done = {entry["key"]: entry for entry in _entries(journal)}
        todo = [
            item for item in items
            if done.get(item.key, {}).get("identity") != item.media.identity()
        ]  # fmt: skip
        work = partial(_outcome, copy=self.copy, copies=copies)
        shown = _shown(self._map(work, todo), len(items), len(items) - len(todo))
        with journal.open("a", encoding="utf-8") as file:
            for entry in shown:
                file.write(json.dumps(entry) + "\n")
                file.flush()
                done[entry["key"]] = entry
        return {item.key: done[item.key] for item in items}

    def _map(self, work: Any, items: Sequence[Item]) -> Iterator[dict[str, Any]]:
        if self.jobs == 1 or len(items) < 2:
            yield from map(work, items)
            return
        # Spawned, because a fork would take the threads' locks of whatever else is loaded.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self.jobs, context) as pool:
            chunk = min(64, 1 + len(items) // (16 * self.jobs))
            yield from pool.map(work, items, chunksize=chunk)


def _entries(journal: Path) -> Iterator[dict[str, Any]]:
    """What a journal says; a last line that was cut off says nothing."""
    if journal.is_file():
        for line in journal.read_text("utf-8").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue


def _shown(entries: Iterable[dict[str, Any]], total: int, before: int) -> Iterator[dict[str, Any]]:
    """The entries, with a bar on a terminal and a line now and then elsewhere."""
    if sys.stderr.isatty():
        yield from tqdm(entries, "looking into videos", total, initial=before, unit=" videos")
        return
    spoken = time.monotonic()
    for count, entry in enumerate(entries, before + 1):
        yield entry
        if time.monotonic() - spoken > 10 or count == total:
            spoken = time.monotonic()
            print(f"looked into {count:,} of {total:,} videos", file=sys.stderr, flush=True)


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
