"""MSR-VTT (Xu et al. 2016): 10,000 web clips with 20 captions each.

python -m data.build msr_vtt --source MSRVTT --lists lists
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from data.common import BuildError, File, Item, Report, VideoBuilder
from data.common.builder import caption_fields
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
"""Published counts of the unofficial splits, which are expected only if their list is given."""


class Builder(VideoBuilder):
    """The label is the category. `caption_ids` are the sen_id, and `caption_1k_a` is the index of
    the caption that the 1k-A benchmark uses (-1 if there is none).

    Splits: train, val and test are official; train_1k_a and test_1k_a are JSFusion's (whose
    training clips include official test clips), train_1k_b and test_1k_b are Miech's.
    """

    OPTIONS = {
        "source": "the folder with the clips and the JSON files, at any depth",
        "lists": "a folder with additional lists, 1k-A and 1k-B (optional)",
    }
    EXPECTED = {"train": 6513, "val": 497, "test": 2990, "all": 10000}

    def features(self):
        return caption_fields() | {
            "label": tfds.features.ClassLabel(names=CATEGORIES),
            "caption_1k_a": np.int64,
            "start": tfds.features.Scalar(np.float32, doc="seconds, in the original video"),
            "end": np.float32,
        }

    def items(self, report: Report) -> Iterator[Item]:
        source, self.classes = self.path("source"), CATEGORIES
        lists = self.path("lists") if self.options.get("lists") else source
        annotations = read_annotations(source, lists, report)
        splits = {split for clip in annotations.values() for split in clip.splits}
        for split in splits & COUNTS.keys():
            report.expected = {**report.expected, split: COUNTS[split]}
        missing = set(annotations)
        for path in list_files(source, report):
            name = path.stem
            if not ID.fullmatch(name):
                report.drop(str(path.relative_to(source)), "its name is no id of MSR-VTT")
                continue
            missing.discard(name)
            clip = annotations.get(name)
            if clip is None:
                report.drop(name, "no JSON file and no list names it")
                continue
            ids, sentences = list(clip.captions), list(clip.captions.values())
            if clip.benchmark is not None and clip.benchmark not in sentences:
                ids, sentences = [*ids, -1], [*sentences, clip.benchmark]
            if not sentences:
                report.drop(name, "it has no caption")
                continue
            yield Item(
                key=name,
                splits=tuple(sorted(clip.splits)),
                media=File(path),
                fields={
                    "captions": sentences,
                    "caption_ids": ids,
                    "caption_1k_a": sentences.index(clip.benchmark) if clip.benchmark else -1,
                    "label": clip.category,
                    "start": clip.start,
                    "end": clip.end,
                },
            )
        for name in sorted(missing, key=lambda name: int(name.removeprefix("video") or -1)):
            report.drop(name, "the annotations name it, but the file is missing")


def read_annotations(source: Path, lists: Path, report: Report) -> Annotations:
    """The annotations of all JSON files and lists. Raises `BuildError` if there are none."""
    annotations = Annotations()
    for path in sorted(source.rglob("*.json")):
        read_json(path, annotations, report)
    files = {path for folder in (source, lists) for path in folder.rglob("*")}
    usual = sorted(path for path in files if path.name in LISTS)
    for path in sorted(usual, key=lambda path: path.name == BENCHMARK):
        read_list(path, annotations, report)
    if not annotations:
        raise BuildError(
            f"{source} holds no readable JSON file with videos and sentences, and neither {source} "
            f"nor {lists} holds one of the lists {', '.join(LISTS)}"
        )
    for clip in annotations.values():
        clip.captions = dict(sorted(clip.captions.items()))
    return annotations
