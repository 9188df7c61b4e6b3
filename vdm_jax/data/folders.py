"""An opened folder of videos: usable files, their training parts, and cached frames."""

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
from vdm_jax.data.videos import IMAGES, VIDEOS, Filter, UnreadableVideo, Video, at_rate, probe, read

log = logging.getLogger("vdm_jax.data")

TargetSize = Callable[[int, int], tuple[int, int]]
"""The height and width to resize a frame to, from those of the frame."""


@dataclass(frozen=True, eq=False)
class File:
    """A usable video.

    key: path within the folder.
    video: its metadata.
    timeline: its frames at the wanted rate.
    train_frames: frames of the timeline for training; those after them are held out.
    label: number of its sub-folder, or None.
    captions: its captions.
    """

    key: str
    video: Video
    timeline: Int[np.ndarray, " n"]
    train_frames: int
    label: int | None
    captions: tuple[str, ...]


class Folder:
    """The usable `files`, the reason for each `skipped` one, and a cache of decoded frames.

    The first files that fit into `cache_bytes` once resized are decoded whole, once; for the others
    each window is decoded when it is read. (Epochs read all files equally often, so eviction would
    serve no more reads than this fixed set.)
    """

    def __init__(
        self,
        classes: tuple[str, ...],
        files: tuple[File, ...],
        skipped: dict[str, str],
        target_size: TargetSize,
        filter: Filter,
        cache_bytes: int,
    ):
        self.classes, self.files, self.skipped = classes, files, skipped
        self._read = partial(read, target_size=target_size, filter=filter)
        self._cache: dict[int, np.ndarray | UnreadableVideo] = {}
        self._locks: dict[int, threading.Lock] = {}
        for number, file in enumerate(files):
            height, width = target_size(file.video.height, file.video.width)
            cache_bytes -= len(file.timeline) * height * width * 3
            if cache_bytes < 0:
                break
            self._locks[number] = threading.Lock()

    def __getstate__(self) -> dict:
        """The state for another process, without cached frames and locks."""
        return self.__dict__ | {"_cache": {}, "_locks": tuple(self._locks)}

    def __setstate__(self, state: dict) -> None:
        self.__dict__ |= state | {"_locks": {n: threading.Lock() for n in state["_locks"]}}

    def read(self, number: int, positions: Int[np.ndarray, " f"]) -> UInt8[np.ndarray, "f h w 3"]:
        """The frames at `positions` of the timeline of file `number`, resized.

        Raises:
          UnreadableVideo: decoding fails; the log names the file once.
        """
        file = self.files[number]
        try:
            if number not in self._locks:
                return self._read(file.video, file.timeline[positions])
            with self._locks[number]:
                if number not in self._cache:
                    try:
                        self._cache[number] = self._read(file.video, file.timeline)
                    except UnreadableVideo as error:
                        self._cache[number] = error
            frames = self._cache[number]
            if isinstance(frames, UnreadableVideo):
                raise frames
            return frames[positions]
        except UnreadableVideo as error:
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
    target_size: TargetSize,
    filter: Filter,
    cache_bytes: int,
) -> Folder:
    """Lists the folder at `path` and probes its files in parallel; see `VideoFolder`.

    Raises:
      FileNotFoundError: there is no folder.
      ValueError: no file can be used.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"no folder {root}: VideoFolder.path is a folder of videos")
    paths = _list_files(root, VIDEOS | IMAGES if images else VIDEOS)
    if not paths:
        more = "" if images else " (images are clips only where frames is 1)"
        raise ValueError(f"{root} holds no file ending in {' '.join(sorted(VIDEOS))}{more}")
    keys = [file.relative_to(root).as_posix() for file in paths]
    folders = [key.partition("/")[0] if "/" in key else "" for key in keys]
    classes = tuple(sorted(set(folders), key=_sort_key)) if all(folders) else ()
    captions_of = captions.from_table(root / table, keys) if table else {}
    if not table:
        captions_of = {k: captions.from_sidecar(file) for k, file in zip(keys, paths, strict=True)}

    def examine(key: str, file: Path) -> tuple[Video, Int[np.ndarray, " n"]] | str:
        """The video and its timeline, or the reason to skip it."""
        if not captions_of.get(key) and any(captions_of.values()):
            return "it has no caption, but others have"
        try:
            video = probe(file)
        except UnreadableVideo as error:
            return str(error)
        timeline = np.arange(len(video)) if fps is None else at_rate(video.times, fps)
        if len(timeline) < span:
            return f"its {len(timeline)} frames are too few for a clip, which spans {span}"
        return video, timeline

    with ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as pool:
        results = list(pool.map(examine, keys, paths))
    skipped = {key: r for key, r in zip(keys, results, strict=True) if isinstance(r, str)}
    for key, reason in skipped.items():
        log.warning("skipped %s: %s", root / key, reason)
    if skipped:
        log.warning("%d of %d files in %s are skipped", len(skipped), len(keys), root)
    usable = [
        (key, folder, *result)
        for key, folder, result in zip(keys, folders, results, strict=True)
        if not isinstance(result, str)
    ]
    if not usable:
        key, reason = next(iter(skipped.items()))
        raise ValueError(f"no file in {root} can be used; the first is {key}: {reason}")
    lengths = _train_lengths([len(timeline) for *_, timeline in usable], span, held_out)
    files = tuple(
        File(
            key=key,
            video=video,
            timeline=timeline,
            train_frames=length,
            label=classes.index(folder) if classes else None,
            captions=captions_of.get(key, ()),
        )
        for (key, folder, video, timeline), length in zip(usable, lengths, strict=True)
    )
    return Folder(classes, files, skipped, target_size, filter, cache_bytes)


def _sort_key(name: str) -> tuple[str, str]:
    # Case-insensitive, the order of UCF-101's class list: HammerThrow comes after Hammering.
    return name.casefold(), name


def _list_files(root: Path, endings: frozenset[str]) -> list[Path]:
    files = [
        file
        for file in root.rglob("*")
        if file.suffix.lower() in endings and not file.name.startswith(".") and file.is_file()
    ]
    return sorted(files, key=lambda file: _sort_key(file.relative_to(root).as_posix()))


def _train_lengths(lengths: Sequence[int], span: int, held_out: float) -> list[int]:
    """The number of training frames of each video: all, the first part, or none."""
    train = list(lengths)
    if held_out == 0:
        return train
    for number, length in enumerate(lengths):
        if length >= 2 * span:
            train[number] = length - min(max(round(held_out * length), span), length - span)
    whole = [number for number, length in enumerate(lengths) if length < 2 * span]
    count = min(math.ceil(held_out * len(whole)), len(whole) - 1)
    for place in range(count):
        train[whole[(2 * place + 1) * len(whole) // (2 * count)]] = 0
    return train
