"""Parallel preparation of clips: every file is probed, and transcoded if asked.

A journal records the results, so that an interrupted build resumes.
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

from data.common.items import Item
from data.common.transcoding import Transcoder, duration, remux
from data.common.truncation import truncation
from data.common.videos import UnusableVideo, VideoMetadata, probe


def prepare(item: Item, transcoder: Transcoder | None) -> tuple[bytes, dict[str, Any]]:
    """The bytes to store, and the fields that describe them. Raises `UnusableVideo`."""
    data = item.media.read()
    if item.span is not None and data and duration(data) > item.span[1] - item.span[0] + 1:
        data, metadata = _trim(data, *item.span)
    else:
        metadata = probe(data)
    if transcoder is not None:
        data, metadata = transcoder(data, metadata)
    return data, metadata.to_fields() | item.media.details()


def _trim(data: bytes, start: float, end: float) -> tuple[bytes, VideoMetadata]:
    """The video from the keyframe before `start` to `end`, and the metadata of the span alone."""
    if reason := truncation(data):
        raise UnusableVideo(reason)
    part = remux(data, start, end)
    return part, probe(part).trim(start, end)


def _journal_entry(item: Item, transcoder: Transcoder | None, copies: Path) -> dict[str, Any]:
    """The journal's entry of an item; a transcoded or trimmed video goes to a file in `copies`."""
    entry: dict[str, Any] = {"key": item.key, "identity": item.media.identity()}
    try:
        data, entry["facts"] = prepare(item, transcoder)
    except UnusableVideo as reason:
        return entry | {"dropped": str(reason)}
    except Exception as error:  # an unexpected decoder error drops this file only
        return entry | {"dropped": f"{type(error).__name__}: {error}"}
    if transcoder is not None or item.span is not None:
        file = copies / hashlib.sha1(item.key.encode()).hexdigest()
        partial_file = file.with_suffix(".part")
        partial_file.write_bytes(data)
        partial_file.replace(file)
        entry["copy"] = str(file)
    return entry


@dataclass
class Preparation:
    """The preparation of a list of items, with its journal in `folder`.

    folder: working folder of the build.
    transcoder: applied to every video; None stores videos as they are.
    jobs: number of processes.
    """

    folder: Path
    transcoder: Transcoder | None = None
    jobs: int = 1

    def run(self, items: Sequence[Item]) -> dict[str, dict[str, Any]]:
        """The journal's entries of all items, by key; items in the journal are not redone."""
        copies = self.folder / "copies"
        copies.mkdir(parents=True, exist_ok=True)
        journal = self.folder / "journal.jsonl"
        done = {entry["key"]: entry for entry in _read_journal(journal)}
        todo = [
            item for item in items
            if done.get(item.key, {}).get("identity") != item.media.identity()
        ]  # fmt: skip
        work = partial(_journal_entry, transcoder=self.transcoder, copies=copies)
        entries = _with_progress(self._map(work, todo), len(items), len(items) - len(todo))
        with journal.open("a", encoding="utf-8") as file:
            for entry in entries:
                file.write(json.dumps(entry) + "\n")
                file.flush()
                done[entry["key"]] = entry
        return {item.key: done[item.key] for item in items}

    def _map(self, work: Any, items: Sequence[Item]) -> Iterator[dict[str, Any]]:
        if self.jobs == 1 or len(items) < 2:
            yield from map(work, items)
            return
        # Spawned: a fork would inherit locked locks from the threads of other libraries.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self.jobs, context) as pool:
            chunk = min(64, 1 + len(items) // (16 * self.jobs))
            yield from pool.map(work, items, chunksize=chunk)


def _read_journal(journal: Path) -> Iterator[dict[str, Any]]:
    """The entries of a journal, without a truncated last line."""
    if journal.is_file():
        for line in journal.read_text("utf-8").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue


def _with_progress(
    entries: Iterable[dict[str, Any]], total: int, before: int
) -> Iterator[dict[str, Any]]:
    """The entries, with a progress bar on a terminal and a line every 10 s elsewhere."""
    if sys.stderr.isatty():
        yield from tqdm(entries, "probing videos", total, initial=before, unit=" videos")
        return
    printed = time.monotonic()
    for count, entry in enumerate(entries, before + 1):
        yield entry
        if time.monotonic() - printed > 10 or count == total:
            printed = time.monotonic()
            print(f"probed {count:,} of {total:,} videos", file=sys.stderr, flush=True)


def usable_cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
