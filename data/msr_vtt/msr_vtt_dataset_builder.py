"""MSR-VTT (Xu et al. 2016): 10,000 clips of the web with 20 captions each.

python -m data.build msr_vtt --source MSRVTT --lists lists
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from data.common import File, Item, Problem, Report, VideoBuilder
from data.common.builder import captions
from data.common.files import list_files
from data.msr_vtt.annotations import BENCHMARK, ID, LISTS, Annotations, read_json, read_list

CATEGORIES = (
    "music", "people", "gaming", "sports/actions", "news/events/politics", "education", "tv shows",
    "movie/comedy", "animation", "vehicles/autos", "howto", "travel", "science/technology",
    "animals/pets", "kids/family", "documentary", "food/drink", "cooking", "beauty/fashion",
    "advertisement",
)  # fmt: skip
COUNTS = {"train_1k_a": 9000, "test_1k_a": 1000, "train_7k": 7010, "train_1k_b": 6656,
          "test_1k_b": 1000}  # fmt: skip
"""Of the lists that are not the official ones, and are told only where they are given."""


class Builder(VideoBuilder):
    """The label is the category. Captions keep their sen_id, and the one that the 1k-A benchmark
    tells a clip by is at the place `caption_1k_a` among them (-1 where there is none).

    Splits: train, val and test are the official ones; train_1k_a and test_1k_a those of JSFusion
    (whose training clips are in part official test clips), train_1k_b and test_1k_b Miech's.
    """

    OPTIONS = {
        "source": "the folder with the clips and the JSON files, anywhere below it",
        "lists": "a folder with further lists, 1k-A and 1k-B (may be left out)",
    }
    EXPECTED = {"train": 6513, "val": 497, "test": 2990, "all": 10000}

    def features(self):
        return captions() | {
            "label": tfds.features.ClassLabel(names=CATEGORIES),
            "caption_1k_a": np.int64,
            "start": tfds.features.Scalar(np.float32, doc="seconds, in the video on the web"),
            "end": np.float32,
        }

    def items(self, report: Report) -> Iterator[Item]:
        source, self.classes = self.path("source"), CATEGORIES
        told = annotations(source, self.path("lists") if self.options.get("lists") else source,
                           report)  # fmt: skip
        for split in {split for one in told.values() for split in one.splits} & COUNTS.keys():
            report.expected = {**report.expected, split: COUNTS[split]}
        missing = set(told)
        for path in list_files(source, report):
            name = path.stem
            if not ID.fullmatch(name):
                report.drop(str(path.relative_to(source)), "its name is none of MSR-VTT")
                continue
            missing.discard(name)
            one = told.get(name)
            if one is None:
                report.drop(name, "no JSON file and no list tells of it")
                continue
            ids, sentences = list(one.captions), list(one.captions.values())
            if one.benchmark is not None and one.benchmark not in sentences:
                ids, sentences = [*ids, -1], [*sentences, one.benchmark]
            if not sentences:
                report.drop(name, "it has no caption")
                continue
            yield Item(
                key=name,
                splits=tuple(sorted(one.splits)),
                media=File(path),
                fields={
                    "captions": sentences,
                    "caption_ids": ids,
                    "caption_1k_a": sentences.index(one.benchmark) if one.benchmark else -1,
                    "label": one.category,
                    "start": one.start,
                    "end": one.end,
                },
            )
        for name in sorted(missing, key=lambda name: int(name.removeprefix("video") or -1)):
            report.drop(name, "it is told of, and there is no such file")


def annotations(source: Path, lists: Path, report: Report) -> Annotations:
    """What all JSON files and lists tell."""
    found = Annotations()
    for path in sorted(source.rglob("*.json")):
        read_json(path, found, report)
    files = {path for folder in (source, lists) for path in folder.rglob("*")}
    usual = sorted(path for path in files if path.name in LISTS)
    for path in sorted(usual, key=lambda path: path.name == BENCHMARK):
        read_list(path, found, report)
    if not found:
        raise Problem(
            f"{source} holds no readable JSON file with videos and sentences, and neither it nor "
            f"{lists} one of {', '.join(LISTS)}"
        )
    for one in found.values():
        one.captions = dict(sorted(one.captions.items()))
    return found
