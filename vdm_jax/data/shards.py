"""Built data sets on disk: which shards make up a split, how long its videos are, its records."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import grain
import numpy as np
from etils import epath
from jaxtyping import Float, Int

from vdm_jax import storage
from vdm_jax.config import nearest
from vdm_jax.data.tf_example import parse
from vdm_jax.data.videos import Video

SCHEMA = 1


@dataclass(frozen=True)
class Shards:
    """The folder of a built data set (`python -m data.build`): ArrayRecord shards and an index."""

    folder: Path

    @cached_property
    def _told(self) -> dict:
        path = self.folder / "clips.json"
        if not path.is_file():
            raise FileNotFoundError(
                f"{self.folder} is no finished data set, for it has no clips.json: build it again, "
                "which goes on where the build was stopped"
            )
        told = json.loads(path.read_text("utf-8"))
        if told["schema"] != SCHEMA:
            raise ValueError(
                f"{path} has the format {told['schema']}, and this program reads {SCHEMA}"
            )
        return told

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels 0, 1, ...; none where the data set has no labels."""
        return tuple(self._told["classes"])

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits."""
        return tuple(self._told["splits"])

    def parts(self, split: str) -> tuple[str, ...]:
        """The groups of shards that make up a split; two splits share clips if they share these."""
        splits = self._told["splits"]
        if split not in splits:
            raise ValueError(f"{self.folder} has no split {split!r}; {nearest(split, splits)}")
        return tuple(splits[split])

    def records(self, split: str) -> "Records":
        """The records of a split, in the order of its shards."""
        return Records(self.folder, self._told["dataset"], self.parts(split))


@dataclass(frozen=True)
class Records:
    """The records of some parts of a data set: random access, and columns of the index."""

    folder: Path
    dataset: str
    parts: tuple[str, ...]

    @cached_property
    def _source(self) -> grain.sources.ArrayRecordDataSource:
        files = [str(file) for part in self.parts for file in self._files(part)]
        return grain.sources.ArrayRecordDataSource(files)

    def _files(self, part: str) -> list[Path]:
        files = sorted(self.folder.glob(f"{self.dataset}-{part}.array_record-*-of-*"))
        counts = {int(re.split(r"-of-", file.name)[-1]) for file in files}
        if counts != {len(files)}:
            raise FileNotFoundError(
                f"{self.folder} has {len(files)} of the {max(counts, default='?')} shards of "
                f"{part}: copy the folder again"
            )
        return files

    def __getstate__(self) -> dict:
        """For another process, which opens the files for itself."""
        return {name: self.__dict__[name] for name in ("folder", "dataset", "parts")}

    def __len__(self) -> int:
        return sum(len(column) for column in self._columns("frames"))

    def __getitem__(self, index: int) -> dict[str, list]:
        return parse(self._source[index])

    def column(self, name: str) -> np.ndarray:
        """One of frames, seconds, height, width, label, captions (how many) and key, by record."""
        return np.concatenate(list(self._columns(name)))

    def _columns(self, name: str) -> Iterator[np.ndarray]:
        with np.load(self.folder / "index.npz") as index:
            for part in self.parts:
                if f"{part}/{name}" not in index:
                    raise ValueError(f"{self.folder} knows no {name} of its clips")
                yield index[f"{part}/{name}"]


def find(path: str, dataset: str) -> Shards:
    """The newest version of `dataset` (a name, or a name and variant `ucf101/64px_crf18`).

    Where `path` is in a bucket, a copy of it on this machine: see `buckets.cached_copy`.
    """
    root = epath.Path(path).expanduser()
    folder = root / dataset
    versions = [p for p in folder.glob("*") if re.fullmatch(r"\d+\.\d+\.\d+", p.name)]
    if versions:
        return Shards(
            storage.cached_copy(max(versions, key=lambda p: tuple(map(int, p.name.split(".")))))
        )
    name, _, variant = dataset.partition("/")
    if not folder.parent.is_dir() or not folder.is_dir():
        near = [str(p.relative_to(root)) for p in folder.parent.glob("[!.]*")]
        told = f"; {nearest(dataset, near)}" if near else ""
        raise FileNotFoundError(
            f"no data set {dataset!r} in {path}{told}. To build it: "
            f"python -m data.build {name} --source DIR --out {path}"
        )
    variants = sorted(p.name for p in folder.iterdir() if p.is_dir())
    raise FileNotFoundError(
        f"{folder} holds no version of {dataset!r}, only {', '.join(variants) or 'nothing'}: "
        f"say which variant, as in dataset='{name}/{variants[0] if variants else variant}'"
    )


def video(record: dict[str, list]) -> Video:
    """The encoded video of a record, ready to be read at any frame."""
    count = record["frames"][0]
    numerator, denominator = record["time_base"]
    if record["stamps"]:
        stamps = np.array(record["stamps"], np.int64)
        times: Float[np.ndarray, " n"] = (stamps - stamps[0]) * (numerator / denominator)
    else:
        stamps, times = None, np.arange(count) / record["fps"][0]
    keyframes: Int[np.ndarray, " k"] = np.array(record["keyframes"], np.int64)
    return Video(
        file=record["video"][0],
        height=record["height"][0],
        width=record["width"][0],
        times=times,
        stamps=stamps,
        keyframes=keyframes,
    )
