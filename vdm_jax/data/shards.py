"""Built data sets on disk: shards, index and records."""

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
    """A data set built by `python -m data.build`: the folder of its shards and index."""

    folder: Path

    @cached_property
    def _metadata(self) -> dict:
        path = self.folder / "clips.json"
        if not path.is_file():
            raise FileNotFoundError(
                f"{self.folder} is no finished data set: it has no clips.json; build it again, "
                "which resumes an interrupted build"
            )
        metadata = json.loads(path.read_text("utf-8"))
        if metadata["schema"] != SCHEMA:
            raise ValueError(
                f"{path} has schema {metadata['schema']}, but this version reads {SCHEMA}"
            )
        return metadata

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels 0, 1, ...; empty without labels."""
        return tuple(self._metadata["classes"])

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits."""
        return tuple(self._metadata["splits"])

    def shard_groups(self, split: str) -> tuple[str, ...]:
        """The groups of shards of a split; two splits share clips if they share groups."""
        splits = self._metadata["splits"]
        if split not in splits:
            raise ValueError(f"{self.folder} has no split {split!r}; {nearest(split, splits)}")
        return tuple(splits[split])

    def records(self, split: str) -> "Records":
        """The records of a split, in the order of its shards."""
        return Records(self.folder, self._metadata["dataset"], self.shard_groups(split))


@dataclass(frozen=True)
class Records:
    """The records of some shard groups: random access, and columns of the index."""

    folder: Path
    dataset: str
    groups: tuple[str, ...]

    @cached_property
    def _source(self) -> grain.sources.ArrayRecordDataSource:
        files = [str(file) for group in self.groups for file in self._files(group)]
        return grain.sources.ArrayRecordDataSource(files)

    def _files(self, group: str) -> list[Path]:
        files = sorted(self.folder.glob(f"{self.dataset}-{group}.array_record-*-of-*"))
        counts = {int(re.split(r"-of-", file.name)[-1]) for file in files}
        if counts != {len(files)}:
            raise FileNotFoundError(
                f"{self.folder} has {len(files)} of the {max(counts, default='?')} shards of "
                f"{group}: copy the folder again"
            )
        return files

    def __getstate__(self) -> dict:
        """The state for another process, which opens the files itself."""
        return {name: self.__dict__[name] for name in ("folder", "dataset", "groups")}

    def __len__(self) -> int:
        return sum(len(column) for column in self._columns("frames"))

    def __getitem__(self, index: int) -> dict[str, list]:
        return parse(self._source[index])

    def column(self, name: str) -> np.ndarray:
        """A column by record: frames, seconds, height, width, label, captions (how many) or key."""
        return np.concatenate(list(self._columns(name)))

    def _columns(self, name: str) -> Iterator[np.ndarray]:
        with np.load(self.folder / "index.npz") as index:
            for group in self.groups:
                if f"{group}/{name}" not in index:
                    raise ValueError(f"{self.folder} has no column {name!r} in its index.npz")
                yield index[f"{group}/{name}"]


def find_dataset(path: str, dataset: str) -> Shards:
    """The newest version of `dataset` (a name, or a name and variant `ucf101/64px_crf18`).

    A remote `path` is copied to this machine; see `storage.cached_copy`.

    Raises:
      FileNotFoundError: there is no such data set, or no version of it.
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
        hint = f"; {nearest(dataset, near)}" if near else ""
        raise FileNotFoundError(
            f"no data set {dataset!r} in {path}{hint}. To build it: "
            f"python -m data.build {name} --source DIR --out {path}"
        )
    variants = sorted(p.name for p in folder.iterdir() if p.is_dir())
    raise FileNotFoundError(
        f"{folder} holds no version of {dataset!r}, only {', '.join(variants) or 'nothing'}: "
        f"choose a variant, as in dataset='{name}/{variants[0] if variants else variant}'"
    )


def record_video(record: dict[str, list]) -> Video:
    """The encoded video of a record, for reading any of its frames."""
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
