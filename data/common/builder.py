"""The base class of all builders: a TFDS builder that stores videos as encoded bytes."""

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

from data.common.index import write_index
from data.common.items import Item
from data.common.preparation import Preparation, prepare, usable_cores
from data.common.reports import BuildError, Report
from data.common.shard_format import FORMAT
from data.common.transcoding import Transcoder
from data.common.videos import UnusableVideo

REPORT, CLIPS = "report.json", "clips.json"
Integers = partial(tfds.features.Sequence, np.int64)


def video_fields() -> dict[str, Any]:
    """The fields that every record has; `VideoMetadata` documents them."""
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


def caption_fields() -> dict[str, Any]:
    """The additional fields of a data set with captions."""
    return {
        "captions": tfds.features.Sequence(tfds.features.Text()),
        "caption_ids": Integers(doc="of each caption, in the data set's own numbering"),
    }


class VideoBuilder(tfds.core.GeneratorBasedBuilder):
    """A data set of videos: a subclass declares the `features` and lists the `items`.

    A clip is stored once, even if several named splits contain it: shards are grouped by the
    combination of splits, and clips.json lists the groups of each split. Where splits do not
    overlap, the groups are the splits.

    OPTIONS: help of each option of `items` (source folders and tables), by name.
    EXPECTED: published number of clips, by split.
    ALIASES: additional names of splits.
    """

    # The version of the fields: it increases when their meaning changes.
    VERSION = tfds.core.Version("1.0.0")
    OPTIONS: ClassVar[Mapping[str, str]] = {}
    EXPECTED: ClassVar[Mapping[str, int]] = {}
    ALIASES: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        *,
        options: Mapping[str, str | None] | None = None,
        transcoder: Transcoder | None = None,
        jobs: int | None = None,
        beam: bool = False,
        variant: str | None = None,
        **settings: Any,
    ):
        self.options, self._transcoder, self._beam = dict(options or {}), transcoder, beam
        self._jobs = jobs or usable_cores()
        self.classes: tuple[str, ...] = ()
        names = [name for name in (variant, transcoder.name if transcoder else None) if name]
        if names:
            settings["config"] = tfds.core.BuilderConfig(name="_".join(names))
        self._working: Path | None = None
        super().__init__(file_format=FORMAT, **settings)

    def features(self) -> dict[str, Any]:
        """The fields of a record beside those of `video_fields`."""
        return {}

    @abc.abstractmethod
    def items(self, report: Report) -> Iterable[Item]:
        """The clips to build; missing ones go to the report."""

    def path(self, option: str) -> Path:
        """The existing file or folder that an option names. Raises `BuildError`."""
        value = self.options.get(option)
        if not value:
            raise BuildError(f"--{option.replace('_', '-')} is needed: {self.OPTIONS[option]}")
        path = Path(value).expanduser()
        if not path.exists():
            raise BuildError(f"--{option.replace('_', '-')}: there is no {path}")
        return path

    def build(self, download_config: Any = None) -> Report:
        """Builds the data set unless it is built already; returns the report."""
        report = self.data_path / REPORT
        if not report.exists():
            config = download_config or tfds.download.DownloadConfig(try_download_gcs=False)
            with contextlib.redirect_stdout(io.StringIO()):  # TFDS prints downloads and sizes
                self.download_and_prepare(download_config=config)
            self._finish()
        return Report.load(Path(report))

    def _info(self) -> tfds.core.DatasetInfo:
        features = tfds.features.FeaturesDict(video_fields() | self.features())
        return self.dataset_info_from_configs(features=features)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        report = Report(self.name, dict(self.EXPECTED))
        items = self._unique_items(report)
        if not items:
            reasons = "\n".join(f"  {name}: {why}" for name, why in [*report.dropped.items()][:5])
            raise BuildError(f"{self.name}: there is no clip to build\n{reasons}".rstrip())
        working = self._work_folder()
        if self.classes and isinstance(self.info.features["label"], tfds.features.ClassLabel):
            self.info.features["label"].names = list(self.classes)
        if self._beam:
            entries = {}
        else:
            entries = Preparation(working, self._transcoder, self._jobs).run(items)
            for item in items:
                if reason := entries[item.key].get("dropped"):
                    report.drop(item.key, reason)
        groups: dict[str, list[Item]] = {}
        for item in items:
            if item.key not in report.dropped:
                groups.setdefault("__".join(item.splits), []).append(item)
        if not groups:
            name, reason = next(iter(report.dropped.items()))
            raise BuildError(
                f"{self.name}: none of {len(items):,} clips can be used; the first is "
                f"{name}: {reason}"
            )
        tree = {
            "schema": 1,
            "dataset": self.name,
            "splits": self._splits(groups),
            "classes": self.classes,
        }
        text = json.dumps(tree, indent=1, ensure_ascii=False)
        (working / CLIPS).write_text(text, encoding="utf-8")
        report.save(working / REPORT)
        generate = self._beam_examples if self._beam else self._generate_examples
        return {group: generate(members, entries) for group, members in sorted(groups.items())}

    def _unique_items(self, report: Report) -> list[Item]:
        """The items; of those with equal keys, the first."""
        unique: dict[str, Item] = {}
        for item in self.items(report):
            if item.key in unique:
                report.drop(f"{item.key} (again)", "an earlier clip has the same name")
            else:
                unique[item.key] = item
        report.found = len(unique) + len(report.dropped)
        return list(unique.values())

    def _work_folder(self) -> Path:
        """The folder of the unfinished build, in `.unfinished` beside the data sets."""
        name = f"{self.name}/{self.builder_config.name if self.builder_config else ''}"
        folder = Path(self._data_dir_root) / ".unfinished" / name.strip("/").replace("/", "-")
        folder.mkdir(parents=True, exist_ok=True)
        self._working = folder
        return folder

    def _splits(self, groups: Iterable[str]) -> dict[str, list[str]]:
        """The shard groups of each split."""
        names = sorted({name for group in groups for name in group.split("__")})
        splits = {name: [g for g in sorted(groups) if name in g.split("__")] for name in names}
        splits |= {new: splits[old] for new, old in self.ALIASES.items() if old in splits}
        return splits | {"all": sorted(groups)}

    def _generate_examples(self, items: list[Item], entries: Mapping[str, Any]) -> Iterator[Any]:
        for item in items:
            entry = entries[item.key]
            copy = entry.get("copy")
            data = Path(copy).read_bytes() if copy else item.media.read()
            yield item.key, {"key": item.key, "video": data, **entry["facts"], **item.fields}

    def _beam_examples(self, items: list[Item], _: Mapping[str, Any]) -> Any:
        beam = tfds.core.lazy_imports.apache_beam
        drops = str(self._working / "drops")
        work = partial(_beam_example, transcoder=self._transcoder, drops=drops)
        return beam.Create(items) | beam.Reshuffle() | beam.FlatMap(work)

    def _finish(self) -> None:
        """Writes the index, the splits and the report beside the shards; deletes the journal."""
        folder, working = Path(self.data_path), self._working
        if working is None:
            working = self._work_folder()
        if not (working / REPORT).exists():
            raise BuildError(
                f"{folder} holds shards without a report, and the journal of their build is "
                "missing: remove the folder and build again"
            )
        report = Report.load(working / REPORT)
        for file in sorted((working / "drops").glob("*.json")):
            report.drop(*json.loads(file.read_text("utf-8")))
        text = (working / CLIPS).read_text("utf-8")
        splits = json.loads(text)["splits"]
        counts = write_index(folder, {g: self.info.splits[g].filenames for g in splits["all"]})
        report.written = {
            name: sum(counts[group] for group in groups)
            for name, groups in splits.items()
            if name not in self.ALIASES
        }
        (folder / CLIPS).write_text(text, "utf-8")
        report.save(folder / REPORT)
        shutil.rmtree(working)


def _beam_example(
    item: Item, transcoder: Transcoder | None, drops: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The example of an item, or none and a file in `drops` with the reason; runs in a worker."""
    try:
        data, metadata = prepare(item, transcoder)
    except UnusableVideo as reason:
        folder = Path(drops)
        folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha1(item.key.encode()).hexdigest()
        text = json.dumps([item.key, str(reason)])
        (folder / f"{name}.json").write_text(text, "utf-8")
        return
    yield item.key, {"key": item.key, "video": data, **metadata, **item.fields}
