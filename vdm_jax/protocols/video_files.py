"""Videos on disk: a folder of video files, .npy arrays or image folders, or a built data set.

A folder with images and without videos is one clip. Built data sets are those of
`python -m data.build`. Videos are sorted by name.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image

from vdm_jax.data import Shards, captions
from vdm_jax.data.shards import find_dataset, record_video
from vdm_jax.data.videos import IMAGES, VIDEOS, UnreadableVideo, Video, probe, read
from vdm_jax.protocols.ucf101_classes import ucf101_label

ARRAYS = frozenset({".npy"})
Frames = UInt8[np.ndarray, "f h w 3"]


@dataclass(frozen=True, eq=False)
class VideoFile:
    """One video.

    key: its path in the folder.
    frames: number of frames.
    height: in pixels.
    width: in pixels.
    times: seconds of each frame; None if the file has no times.
    bytes: size of the file.
    stamp: modification time of the file, in nanoseconds.
    read: a function from sorted frame numbers, with repeats, to frames.
    label: the class of UCF-101, by the name of the file or its folder; None if there is none.
    captions: the captions.
    """

    key: str
    frames: int
    height: int
    width: int
    times: Float[np.ndarray, " n"] | None
    bytes: int
    stamp: int
    read: Callable[[Int[np.ndarray, " f"]], Frames]
    label: int | None = None
    captions: tuple[str, ...] = ()

    @property
    def fps(self) -> float | None:
        """Frames per second, from the median time between frames; None without times."""
        if self.times is None or len(self.times) < 2:
            return None
        return 1 / float(np.median(np.diff(self.times)))


@dataclass(frozen=True, eq=False)
class Collection:
    """The videos of a folder.

    path: the folder.
    videos: the readable videos, sorted by key.
    skipped: the reason for each unreadable video, by key.
    """

    path: Path
    videos: tuple[VideoFile, ...]
    skipped: dict[str, str]

    def select(self, names: Iterable[str], source: str) -> "Collection":
        """The videos with these names or paths, with or without suffix; `source` names the list."""
        wanted = {stem(name) for name in names}
        selected = tuple(video for video in self.videos if stem(video.key) in wanted)
        if not selected:
            raise ValueError(
                f"{source} names none of the {len(self.videos)} videos of {self.path}: the first "
                f"of the list is {min(wanted, default='nothing')}, the first of the folder is "
                f"{stem(self.videos[0].key)}"
            )
        return replace(self, videos=selected)

    def with_captions(self, captions_of: Callable[[str], tuple[str, ...]]) -> "Collection":
        """The videos with captions by their name without folder and suffix.

        Videos for which `captions_of` gives () keep their captions.
        """
        videos = (replace(v, captions=captions_of(stem(v.key)) or v.captions) for v in self.videos)
        return replace(self, videos=tuple(videos))

    @property
    def rates(self) -> dict[float, int]:
        """The number of videos by frame rate, rounded to two digits; 0 is no rate."""
        counts = Counter(round(video.fps or 0.0, 2) for video in self.videos)
        return dict(sorted(counts.items()))


TABLE = "captions.csv"
"""The file name of a folder's caption table, with the columns file,caption."""


def collect(path: str | os.PathLike, split: str | None = None) -> Collection:
    """The videos of a folder, or of the `split` of a built data set.

    Captions come from a table captions.csv in the folder, or from .txt and .json files next to the
    videos.

    Raises:
      FileNotFoundError: there is no such folder.
      ValueError: the folder has no readable video; names a file and the reason.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"no folder {root}: give a folder of videos or a built data set")
    shards = _find_shards(root)
    if shards is not None:
        return _from_shards(root, shards, split)
    paths = _list_clips(root)
    if not paths:
        suffixes = " ".join(sorted(VIDEOS | ARRAYS))
        raise ValueError(f"{root} has no video: no file in {suffixes}, and no folder of images")
    with ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as pool:
        opened = list(pool.map(partial(_open, root), paths))
    skipped = dict(result for result in opened if isinstance(result, tuple))
    videos = [video for result in opened if isinstance(result, list) for video in result]
    if not videos:
        key, reason = next(iter(skipped.items()))
        raise ValueError(f"none of {len(skipped)} files of {root} is readable; {key}: {reason}")
    if (root / TABLE).is_file():
        table = captions.from_table(root / TABLE, [video.key for video in videos])
        videos = [replace(video, captions=table.get(video.key, ())) for video in videos]
    return Collection(root, tuple(sorted(videos, key=lambda v: v.key)), skipped)


def _open(root: Path, path: Path) -> list[VideoFile] | tuple[str, str]:
    """The videos of a file or image folder, or (key, reason) if it is unreadable."""
    key = path.relative_to(root).as_posix()
    texts = captions.from_sidecar(path)
    label = ucf101_label(key)
    try:
        if path.is_dir():
            return [replace(_images(path, key), label=label, captions=texts)]
        if path.suffix.lower() in ARRAYS:
            return [replace(clip, label=label, captions=texts) for clip in _array(path, key)]
        return [replace(_file(probe(path), key, *_stamp(path)), label=label, captions=texts)]
    except (UnreadableVideo, OSError) as error:
        return key, str(error)


def _file(video: Video, key: str, size: int, stamp: int) -> VideoFile:
    whole = partial(read, video, target_size=lambda height, width: (height, width))
    return VideoFile(
        key, len(video), video.height, video.width, video.times - video.times[0], size, stamp,
        lambda numbers: whole(numbers),
    )  # fmt: skip


def _array(path: Path, key: str) -> list[VideoFile]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise UnreadableVideo(f"it is not an array of numbers: {error}") from error
    if array.dtype != np.uint8 or array.ndim not in (4, 5) or array.shape[-1] not in (1, 3):
        raise UnreadableVideo(
            f"it is {array.dtype} {array.shape}, not uint8 [f h w c] or [b f h w c] with c = 1 or "
            "3: quantize floats with clip(round((x + 1) * 127.5), 0, 255), and put channels last"
        )
    clips = array[None] if array.ndim == 4 else array
    names = [key] if array.ndim == 4 else [f"{key}#{i:05d}" for i in range(len(clips))]
    stamp, (frames, height, width) = _stamp(path), clips.shape[1:4]

    def reader(index: int) -> Callable[[Int[np.ndarray, " f"]], Frames]:
        return lambda numbers: _rgb(np.asarray(clips[index][numbers]))

    return [
        VideoFile(name, frames, height, width, None, *stamp, reader(index))
        for index, name in enumerate(names)
    ]


def _images(folder: Path, key: str) -> VideoFile:
    files = sorted(
        (p for p in folder.iterdir() if p.suffix.lower() in IMAGES and p.name[0] != "."),
        key=lambda p: [int(s) if s.isdigit() else s for s in _NUMBERS.split(p.name)],
    )
    with Image.open(files[0]) as first:
        width, height = first.size

    def frames(numbers: Int[np.ndarray, " f"]) -> Frames:
        decoded = {}
        for number in sorted(set(map(int, numbers))):
            with Image.open(files[number]) as image:
                decoded[number] = np.asarray(image.convert("RGB"))
            if decoded[number].shape[:2] != (height, width):
                raise UnreadableVideo(f"{files[number].name} and {files[0].name} differ in size")
        return np.stack([decoded[int(number)] for number in numbers])

    sizes, stamps = zip(*map(_stamp, files), strict=True)
    return VideoFile(key, len(files), height, width, None, sum(sizes), max(stamps), frames)


def _from_shards(root: Path, shards: Shards, split: str | None) -> Collection:
    """The videos of a built data set."""
    if split is None:
        raise ValueError(
            f"{root} is a built data set: give --split, one of {', '.join(shards.splits)}"
        )
    records = shards.records(split)
    names = ("frames", "seconds", "height", "width", "captions")
    columns = {name: records.column(name) for name in names}
    labels = records.column("label") if shards.classes else np.full(len(records), -1)
    keys = [key.decode() if isinstance(key, bytes) else str(key) for key in records.column("key")]

    _, built = _stamp(shards.folder / "clips.json")

    def video_file(number: int) -> VideoFile:
        count, seconds = int(columns["frames"][number]), float(columns["seconds"][number])
        label, texts = int(labels[number]), ()
        if columns["captions"][number]:  # reads the whole record, with its video
            texts = tuple(caption.decode() for caption in records[number]["captions"])
        return VideoFile(
            keys[number], count, int(columns["height"][number]), int(columns["width"][number]),
            np.arange(count) * (seconds / count), count, built,
            lambda frames: _file(record_video(records[number]), keys[number], 0, 0).read(frames),
            label if label >= 0 else None, texts,
        )  # fmt: skip

    order = sorted(range(len(records)), key=keys.__getitem__)
    return Collection(root, tuple(map(video_file, order)), {})


def _find_shards(root: Path) -> Shards | None:
    """The built data set in a folder or in its versions, or None."""
    if (root / "clips.json").is_file():
        return Shards(root)
    if any(root.glob("*/clips.json")):
        return find_dataset(str(root.parent), root.name)
    return None


def _list_clips(root: Path) -> list[Path]:
    """The files and image folders that are clips."""
    paths = []
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if not name.startswith(".")]
        files = [Path(folder, name) for name in sorted(names) if not name.startswith(".")]
        clips = [file for file in files if file.suffix.lower() in VIDEOS | ARRAYS]
        images = any(file.suffix.lower() in IMAGES for file in files)
        paths += clips or ([Path(folder)] if images and Path(folder) != root else [])
    return sorted(paths)


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def stem(key: str) -> str:
    """The name without folders and suffix, case-folded, as UCF-101 spells one name in two ways."""
    return re.sub(r"\.\w{1,5}$", "", key.rpartition("/")[2]).casefold()


def _rgb(frames: np.ndarray) -> Frames:
    return frames.repeat(3, axis=-1) if frames.shape[-1] == 1 else frames


_NUMBERS = re.compile(r"(\d+)")
