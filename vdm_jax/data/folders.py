"""A folder of videos, opened: what is in it, what training may see of it, its decoded frames."""

import logging
import math
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from vdm_jax.data import captions
from vdm_jax.data.videos import IMAGES, VIDEOS, Filter, Unreadable, Video, at_rate, probe, read

log = logging.getLogger("vdm_jax.data")

Resized = Callable[[int, int], tuple[int, int]]


@dataclass(frozen=True, eq=False)
class File:
    """A usable video; `timeline` are its frames at the wanted rate, `key` its path in the folder.

    The first `cut` frames of the timeline are for training, the others are held out.
    """

    key: str
    video: Video
    timeline: Int[np.ndarray, " n"]
    cut: int
    label: int | None
    captions: tuple[str, ...]


class Folder:
    """The usable `files`, the reasons why others are `skipped`, and decoded frames in memory.

    The first files that fit into `cache_bytes` once resized are decoded whole, once. (Epochs visit
    all files equally, so that no rule of eviction would serve more reads than these fixed ones.)
    Of the others each window is decoded when it is read.
    """

    def __init__(
        self,
        classes: tuple[str, ...],
        files: tuple[File, ...],
        skipped: dict[str, str],
        resized: Resized,
        filter: Filter,
        cache_bytes: int,
    ):
        self.classes, self.files, self.skipped = classes, files, skipped
        self._read = partial(read, resized=resized, filter=filter)
        self._memory: dict[int, np.ndarray | Unreadable] = {}
        self._locks: dict[int, threading.Lock] = {}
        for number, file in enumerate(files):
            height, width = resized(file.video.height, file.video.width)
            cache_bytes -= len(file.timeline) * height * width * 3
            if cache_bytes < 0:
                break
            self._locks[number] = threading.Lock()

    def __getstate__(self) -> dict:
        """For another process: without the frames, which it decodes for itself, and the locks."""
        return self.__dict__ | {"_memory": {}, "_locks": tuple(self._locks)}

    def __setstate__(self, state: dict) -> None:
        self.__dict__ |= state | {"_locks": {n: threading.Lock() for n in state["_locks"]}}

    def read(self, number: int, positions: Int[np.ndarray, " f"]) -> UInt8[np.ndarray, "f h w 3"]:
        """The frames at `positions` of the timeline of file `number`, resized.

        Raises `Unreadable`, having logged the file the first time.
        """
        file = self.files[number]
        try:
            if number not in self._locks:
                return self._read(file.video, file.timeline[positions])
            with self._locks[number]:
                if number not in self._memory:
                    try:
                        self._memory[number] = self._read(file.video, file.timeline)
                    except Unreadable as error:
                        self._memory[number] = error
            frames = self._memory[number]
            if isinstance(frames, Unreadable):
                raise frames
            return frames[positions]
        except Unreadable as error:
            if file.key not in self.skipped:
                self.skipped[file.key] = str(error)
                log.warning("skipped %s: %s", file.video.file, error)
            raise


def open_folder(
    path: str,
    *,
    table: str | None,
    images: bool,
    fps: float | None,
    span: int,
    held_out: float,
    resized: Resized,
    filter: Filter,
    cache_bytes: int,
) -> Folder:
    """List the folder at `path` and look into each file, many at a time; see
    `VideoFolder`."""
    root = Path(path).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"no folder {root}: VideoFolder.path is a folder of videos")
    paths = _listed(root, VIDEOS | IMAGES if images else VIDEOS)
    if not paths:
        more = "" if images else " (images are clips only where frames is 1)"
        raise ValueError(f"{root} holds no file ending in {' '.join(sorted(VIDEOS))}{more}")
    keys = [file.relative_to(root).as_posix() for file in paths]
    folders = [key.partition("/")[0] if "/" in key else "" for key in keys]
    classes = tuple(sorted(set(folders), key=_case_insensitively)) if all(folders) else ()
    said = captions.from_table(root / table, keys) if table else {}
    if not table:
        said = {key: captions.beside(file) for key, file in zip(keys, paths, strict=True)}

    def look(key: str, file: Path) -> tuple[Video, Int[np.ndarray, " n"]] | str:
        if not said.get(key) and any(said.values()):
            return "it has no caption, and others have"
        try:
            video = probe(file)
        except Unreadable as error:
            return str(error)
        timeline = np.arange(len(video)) if fps is None else at_rate(video.times, fps)
        if len(timeline) < span:
            return f"its {len(timeline)} frames are too few for a clip, which spans {span}"
        return video, timeline

    with ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as pool:
        seen = list(pool.map(look, keys, paths))
    skipped = {key: one for key, one in zip(keys, seen, strict=True) if isinstance(one, str)}
    for key, reason in skipped.items():
        log.warning("skipped %s: %s", root / key, reason)
    if skipped:
        log.warning("%d of %d files in %s are skipped", len(skipped), len(keys), root)
    usable = [
        (key, folder, *one)
        for key, folder, one in zip(keys, folders, seen, strict=True)
        if not isinstance(one, str)
    ]
    if not usable:
        key, reason = next(iter(skipped.items()))
        raise ValueError(f"no file in {root} can be used; the first is {key}: {reason}")
    cuts = _cuts([len(timeline) for *_, timeline in usable], span, held_out)
    files = tuple(
        File(
            key=key,
            video=video,
            timeline=timeline,
            cut=cut,
            label=classes.index(folder) if classes else None,
            captions=said.get(key, ()),
        )
        for (key, folder, video, timeline), cut in zip(usable, cuts, strict=True)
    )
    return Folder(classes, files, skipped, resized, filter, cache_bytes)


def _case_insensitively(name: str) -> tuple[str, str]:
    # The order of UCF-101's class list, where HammerThrow comes after Hammering.
    return name.casefold(), name


def _listed(root: Path, endings: frozenset[str]) -> list[Path]:
    found = [
        file
        for file in root.rglob("*")
        if file.suffix.lower() in endings and not file.name.startswith(".") and file.is_file()
    ]
    return sorted(found, key=lambda file: _case_insensitively(file.relative_to(root).as_posix()))


def _cuts(lengths: Sequence[int], span: int, held_out: float) -> list[int]:
    """How many frames of each video are for training: all, the first part, or none."""
    cuts = list(lengths)
    if held_out == 0:
        return cuts
    for number, length in enumerate(lengths):
        if length >= 2 * span:
            cuts[number] = length - min(max(round(held_out * length), span), length - span)
    whole = [number for number, length in enumerate(lengths) if length < 2 * span]
    count = min(math.ceil(held_out * len(whole)), len(whole) - 1)
    for place in range(count):
        cuts[whole[(2 * place + 1) * len(whole) // (2 * count)]] = 0
    return cuts
