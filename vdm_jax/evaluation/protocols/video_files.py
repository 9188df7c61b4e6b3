"""Videos on disk, in whichever form anybody keeps them: read by frame, in the order of their names.

A folder of video files, of .npy arrays, of folders of pictures (a folder that holds pictures and no
videos is one clip), or a data set built by `python -m data.build`.
"""

import os
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image

from vdm_jax.data import Shards, captions
from vdm_jax.data.shards import find, video
from vdm_jax.data.videos import IMAGES, VIDEOS, Unreadable, Video, probe, read
from vdm_jax.evaluation.protocols.ucf101_classes import ucf101_label

ARRAYS = frozenset({".npy"})
Frames = UInt8[np.ndarray, "f h w 3"]


@dataclass(frozen=True, eq=False)
class VideoFile:
    """One video of `frames` frames; `read` gives those at rising places, with repeats.

    times: seconds of each frame, None where the file knows none. bytes: how large the file is, and
    stamp: when it was written. label: that of UCF-101, by the folder or the name.
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
        """Frames a second, by the usual time between two."""
        if self.times is None or len(self.times) < 2:
            return None
        return 1 / float(np.median(np.diff(self.times)))


@dataclass(frozen=True, eq=False)
class Collection:
    """The readable videos of a place in the order of their keys, and why others are `skipped`."""

    path: Path
    videos: tuple[VideoFile, ...]
    skipped: dict[str, str]

    def only(self, names: Iterable[str], source: str) -> "Collection":
        """Those that a list names, by path or by name, with or without the ending."""
        wanted = {stem(name) for name in names}
        kept = tuple(one for one in self.videos if stem(one.key) in wanted)
        if not kept:
            raise ValueError(
                f"{source} names none of the {len(self.videos)} videos of {self.path}; the first "
                f"of the list is {min(wanted, default='nothing')}, that of the folder "
                f"{stem(self.videos[0].key)}"
            )
        return replace(self, videos=kept)

    def told(self, said: Callable[[str], tuple[str, ...]]) -> "Collection":
        """With the captions that a table has of each, asked by its name without folder and ending.

        Videos that it does not know keep theirs.
        """
        videos = (replace(v, captions=said(stem(v.key)) or v.captions) for v in self.videos)
        return replace(self, videos=tuple(videos))

    @property
    def rates(self) -> dict[float, int]:
        """How many videos have which frame rate, to two digits; 0 where they tell none."""
        found: dict[float, int] = {}
        for one in self.videos:
            rate = round(one.fps or 0.0, 2)
            found[rate] = found.get(rate, 0) + 1
        return dict(sorted(found.items()))


TABLE = "captions.csv"
"""The table of captions that is looked for in a folder: columns file,caption."""


def collect(path: str | os.PathLike, split: str | None = None) -> Collection:
    """What is at `path`: files in a folder, or the `split` of a built data set.

    Captions are those of a table captions.csv in the folder, or of .txt and .json files beside the
    videos.

    Raises:
      FileNotFoundError: no such folder.
      ValueError: nothing in it can be read; says of which file, and why.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"no folder {root}: it is a folder of videos or a built data set")
    shards = _built(root)
    if shards is not None:
        return _recorded(root, shards, split)
    found = _listed(root)
    if not found:
        endings = " ".join(sorted(VIDEOS | ARRAYS))
        raise ValueError(
            f"{root} is empty: it holds no file ending in {endings}, and no folder of pictures"
        )
    with ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as pool:
        looked = list(pool.map(partial(_looked, root), found))
    skipped = {key: why for one in looked if isinstance(one, tuple) for key, why in [one]}
    videos = [v for one in looked if isinstance(one, list) for v in one]
    if not videos:
        key, why = next(iter(skipped.items()))
        raise ValueError(f"none of {len(skipped)} files of {root} is readable; {key}: {why}")
    if (root / TABLE).is_file():
        said = captions.from_table(root / TABLE, [video.key for video in videos])
        videos = [replace(video, captions=said.get(video.key, ())) for video in videos]
    return Collection(root, tuple(sorted(videos, key=lambda v: v.key)), skipped)


def _looked(root: Path, path: Path) -> list[VideoFile] | tuple[str, str]:
    """The videos of a file or a folder of pictures, or its name and why there is none."""
    key = path.relative_to(root).as_posix()
    told = captions.beside(path) if path.is_file() else ()
    label = ucf101_label(key)
    try:
        if path.is_dir():
            return [replace(_pictures(path, key), label=label, captions=captions.beside(path))]
        if path.suffix.lower() in ARRAYS:
            return [replace(one, label=label, captions=told) for one in _array(path, key)]
        return [replace(_file(probe(path), key, *_stamp(path)), label=label, captions=told)]
    except (Unreadable, OSError) as error:
        return key, str(error)


def _file(video: Video, key: str, size: int, stamp: int) -> VideoFile:
    whole = partial(read, video, resized=lambda height, width: (height, width))
    return VideoFile(
        key, len(video), video.height, video.width, video.times - video.times[0], size, stamp,
        lambda places: whole(places),
    )  # fmt: skip


def _array(path: Path, key: str) -> list[VideoFile]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise Unreadable(f"it is no array of numbers: {error}") from error
    if array.dtype != np.uint8 or array.ndim not in (4, 5) or array.shape[-1] not in (1, 3):
        raise Unreadable(
            f"it is {array.dtype} {array.shape}, not uint8 [f h w c] or [b f h w c] with c = 1 or "
            "3: quantise floats with clip(round((x + 1) * 127.5), 0, 255), and put channels last"
        )
    clips = array[None] if array.ndim == 4 else array
    names = [key] if array.ndim == 4 else [f"{key}#{i:05d}" for i in range(len(clips))]
    stamp, (frames, height, width) = _stamp(path), clips.shape[1:4]

    def reader(place: int) -> Callable[[Int[np.ndarray, " f"]], Frames]:
        return lambda places: _rgb(np.asarray(clips[place][places]))

    return [
        VideoFile(name, frames, height, width, None, *stamp, reader(place))
        for place, name in enumerate(names)
    ]


def _pictures(folder: Path, key: str) -> VideoFile:
    files = sorted(
        (p for p in folder.iterdir() if p.suffix.lower() in IMAGES and p.name[0] != "."),
        key=lambda p: [int(part) if part.isdigit() else part for part in _NUMBERS.split(p.name)],
    )
    with Image.open(files[0]) as first:
        width, height = first.size

    def frames(places: Int[np.ndarray, " f"]) -> Frames:
        found = {}
        for place in sorted(set(map(int, places))):
            with Image.open(files[place]) as picture:
                found[place] = np.asarray(picture.convert("RGB"))
            if found[place].shape[:2] != (height, width):
                raise Unreadable(f"{files[place].name} is of another size than {files[0].name}")
        return np.stack([found[int(place)] for place in places])

    sizes, stamps = zip(*map(_stamp, files), strict=True)
    return VideoFile(key, len(files), height, width, None, sum(sizes), max(stamps), frames)


def _recorded(root: Path, shards: Shards, split: str | None) -> Collection:
    """The videos of a built data set."""
    if split is None:
        raise ValueError(f"{root} is a built data set: say which of {', '.join(shards.splits)}")
    records = shards.records(split)
    names = ("frames", "seconds", "height", "width", "captions")
    columns = {name: records.column(name) for name in names}
    labels = records.column("label") if shards.classes else np.full(len(records), -1)
    keys = [key.decode() if isinstance(key, bytes) else str(key) for key in records.column("key")]

    _, built = _stamp(shards.folder / "clips.json")

    def footage(number: int) -> VideoFile:
        count, seconds = int(columns["frames"][number]), float(columns["seconds"][number])
        label, told = int(labels[number]), ()
        if columns["captions"][number]:  # a record holds its video too, and is read for no less
            told = tuple(caption.decode() for caption in records[number]["captions"])
        return VideoFile(
            keys[number], count, int(columns["height"][number]), int(columns["width"][number]),
            np.arange(count) * (seconds / count), count, built,
            lambda places: _file(video(records[number]), keys[number], 0, 0).read(places),
            label if label >= 0 else None, told,
        )  # fmt: skip

    order = sorted(range(len(records)), key=keys.__getitem__)
    return Collection(root, tuple(map(footage, order)), {})


def _built(root: Path) -> Shards | None:
    """The built data set at a folder or in its versions, or None."""
    if (root / "clips.json").is_file():
        return Shards(root)
    if any(root.glob("*/clips.json")):
        return find(str(root.parent), root.name)
    return None


def _listed(root: Path) -> list[Path]:
    """The files and the folders of pictures that are clips."""
    found = []
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if not name.startswith(".")]
        shown = [Path(folder, name) for name in sorted(names) if not name.startswith(".")]
        clips = [file for file in shown if file.suffix.lower() in VIDEOS | ARRAYS]
        pictures = any(file.suffix.lower() in IMAGES for file in shown)
        found += clips or ([Path(folder)] if pictures and Path(folder) != root else [])
    return sorted(found)


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def stem(key: str) -> str:
    """The name without folders and ending, in small letters: UCF-101 spells one in two ways."""
    return re.sub(r"\.\w{1,5}$", "", key.rpartition("/")[2]).casefold()


def _rgb(frames: np.ndarray) -> Frames:
    return frames.repeat(3, axis=-1) if frames.shape[-1] == 1 else frames


_NUMBERS = re.compile(r"(\d+)")
