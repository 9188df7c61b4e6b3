"""The builder that all data sets share: a TFDS builder of videos stored as encoded bytes."""

import abc
import contextlib
import hashlib
import io
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from data.common.copies import Copy
from data.common.index import write_index
from data.common.items import Item
from data.common.preparation import Preparation, cores, prepare
from data.common.reports import Problem, Report
from data.common.storage import FORMAT
from data.common.videos import Unusable

REPORT, CLIPS = "report.json", "clips.json"
Integers = partial(tfds.features.Sequence, np.int64)


def fields() -> dict[str, Any]:
    """The fields that every record has; `Facts` says what they mean."""
    return {
        "key": tfds.features.Text(doc="unique in the data set"),
        "video": tfds.features.Tensor(shape=(), dtype=np.object_, doc="an encoded file"),
        "frames": np.int64,
        "seconds": np.float32,
        "fps": np.float32,
        "height": np.int64,
        "width": np.int64,
        "time_base": Integers(length=2),
        "stamps": Integers(),
        "keyframes": Integers(),
        "codec": tfds.features.Text(),
    }


def captions() -> dict[str, Any]:
    """The further fields of a data set with captions."""
    return {
        "captions": tfds.features.Sequence(tfds.features.Text()),
        "caption_ids": Integers(doc="of each caption, in the data set's own numbering"),
    }


class VideoBuilder(tfds.core.GeneratorBasedBuilder):
    """A data set says what it has, in `features`, and lists it, in `items`; the rest is here.

    A clip is stored once, however many of the named splits it is in: the shards are grouped into
    parts, a part for every combination of splits that occurs, and clips.json tells the parts of
    each split. Where splits do not overlap, the parts are the splits.

    OPTIONS: what `items` needs to know, source folders and tables, by name, with the help that the
    command shows. EXPECTED: the published counts of splits. ALIASES: further names of splits.
    """

    # Of the fields of a record: a change of their meaning is a new version.
    VERSION = tfds.core.Version("1.0.0")
    OPTIONS: ClassVar[Mapping[str, str]] = {}
    EXPECTED: ClassVar[Mapping[str, int]] = {}
    ALIASES: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        *,
        options: Mapping[str, str | None] | None = None,
        copy: Copy | None = None,
        jobs: int | None = None,
        beam: bool = False,
        variant: str | None = None,
        **settings: Any,
    ):
        self.options, self._copy, self._beam = dict(options or {}), copy, beam
        self._jobs = jobs or cores()
        self.classes: tuple[str, ...] = ()
        names = [name for name in (variant, copy.name if copy else None) if name]
        if names:
            settings["config"] = tfds.core.BuilderConfig(name="_".join(names))
        self._working: Path | None = None
        super().__init__(file_format=FORMAT, **settings)

    def features(self) -> dict[str, Any]:
        """The fields of a record beside those of `fields`."""
        return {}

    @abc.abstractmethod
    def items(self, report: Report) -> Iterable[Item]:
        """The clips that there should be; what is known to be missing goes to the report."""

    def path(self, option: str) -> Path:
        """An option that is a file or folder, which has to be there."""
        value = self.options.get(option)
        if not value:
            raise Problem(f"--{option.replace('_', '-')} is needed: {self.OPTIONS[option]}")
        path = Path(value).expanduser()
        if not path.exists():
            raise Problem(f"--{option.replace('_', '-')}: there is no {path}")
        return path

    def build(self, download_config: Any = None) -> Report:
        """Builds what is not built yet, and returns the account of it."""
        report = self.data_path / REPORT
        if not report.exists():
            config = download_config or tfds.download.DownloadConfig(try_download_gcs=False)
            with contextlib.redirect_stdout(io.StringIO()):  # TFDS tells of downloads and sizes
                self.download_and_prepare(download_config=config)
            self._finish()
        return Report.load(Path(report))

    def _info(self) -> tfds.core.DatasetInfo:
        features = tfds.features.FeaturesDict(fields() | self.features())
        return self.dataset_info_from_configs(features=features)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        report = Report(self.name, dict(self.EXPECTED))
        items = self._unique(report)
        if not items:
            told = "\n".join(f"  {name}: {why}" for name, why in [*report.dropped.items()][:5])
            raise Problem(f"{self.name}: there is not one clip to build\n{told}".rstrip())
        working = self._work_folder(items)
        if self.classes and isinstance(self.info.features["label"], tfds.features.ClassLabel):
            self.info.features["label"].names = list(self.classes)
        if self._beam:
            entries = {}
        else:
            entries = Preparation(working, self._copy, self._jobs).run(items)
            for item in items:
                if reason := entries[item.key].get("dropped"):
                    report.drop(item.key, reason)
        parts: dict[str, list[Item]] = {}
        for item in items:
            if item.key not in report.dropped:
                parts.setdefault("__".join(item.splits), []).append(item)
        if not parts:
            name, reason = next(iter(report.dropped.items()))
            raise Problem(
                f"{self.name}: none of {len(items):,} clips can be used; the first is "
                f"{name}: {reason}"
            )
        tree = {
            "schema": 1,
            "dataset": self.name,
            "splits": self._splits(parts),
            "classes": self.classes,
        }
        text = json.dumps(tree, indent=1, ensure_ascii=False)
        (working / CLIPS).write_text(text, encoding="utf-8")
        report.save(working / REPORT)
        make = self._with_beam if self._beam else self._generate_examples
        return {part: make(found, entries) for part, found in sorted(parts.items())}

    def _unique(self, report: Report) -> list[Item]:
        """The items, the first of those that have the same key."""
        found: dict[str, Item] = {}
        for item in self.items(report):
            if item.key in found:
                report.drop(
                    f"{item.key} (again)",
                    "another clip has this name, and was taken",
                )
            else:
                found[item.key] = item
        report.found = len(found) + len(report.dropped)
        return list(found.values())

    def _work_folder(self, items: list[Item]) -> Path:
        """Where an unfinished build is kept: beside the data, until it is finished."""
        told = f"{self.name}/{self.builder_config.name if self.builder_config else ''}"
        folder = Path(self._data_dir_root) / ".unfinished" / told.strip("/").replace("/", "-")
        folder.mkdir(parents=True, exist_ok=True)
        self._working = folder
        return folder

    def _splits(self, parts: Iterable[str]) -> dict[str, list[str]]:
        """The parts that make up each split."""
        names = sorted({name for part in parts for name in part.split("__")})
        splits = {name: [p for p in sorted(parts) if name in p.split("__")] for name in names}
        splits |= {new: splits[old] for new, old in self.ALIASES.items() if old in splits}
        return splits | {"all": sorted(parts)}

    def _generate_examples(self, items: list[Item], entries: Mapping[str, Any]) -> Iterator[Any]:
        for item in items:
            entry = entries[item.key]
            copy = entry.get("copy")
            data = Path(copy).read_bytes() if copy else item.media.read()
            yield item.key, {"key": item.key, "video": data, **entry["facts"], **item.fields}

    def _with_beam(self, items: list[Item], _: Mapping[str, Any]) -> Any:
        beam = tfds.core.lazy_imports.apache_beam
        work = partial(_worked, copy=self._copy, drops=str(self._working / "drops"))
        return beam.Create(items) | beam.Reshuffle() | beam.FlatMap(work)

    def _finish(self) -> None:
        """The index, the splits and the report beside the shards; the journal goes."""
        folder, working = Path(self.data_path), self._working
        if working is None:
            working = self._work_folder([])
        if not (working / REPORT).exists():
            raise Problem(
                f"{folder} holds shards without a report, and the record of their build is gone: "
                "remove the folder, and build anew"
            )
        report = Report.load(working / REPORT)
        for file in sorted((working / "drops").glob("*.json")):
            report.drop(*json.loads(file.read_text("utf-8")))
        text = (working / CLIPS).read_text("utf-8")
        splits = json.loads(text)["splits"]
        counts = write_index(folder, {p: self.info.splits[p].filenames for p in splits["all"]})
        report.written = {
            name: sum(counts[part] for part in members)
            for name, members in splits.items()
            if name not in self.ALIASES
        }
        (folder / CLIPS).write_text(text, "utf-8")
        report.save(folder / REPORT)
        shutil.rmtree(working)


def _worked(item: Item, copy: Copy | None, drops: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The example of an item, or none, and a file that says why: what a worker of Beam does."""
    try:
        data, facts = prepare(item, copy)
    except Unusable as reason:
        folder = Path(drops)
        folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha1(item.key.encode()).hexdigest()
        text = json.dumps([item.key, str(reason)])
        (folder / f"{name}.json").write_text(text, "utf-8")
        return
    yield item.key, {"key": item.key, "video": data, **facts, **item.fields}
