"""Captioned videos listed in CSV tables: WebVid's (Bain et al. 2021), or any other.

    python -m data.build webvid_csv --source videos --train results_10M_train.csv \\
        --val results_10M_val.csv
"""

from collections.abc import Iterator

import numpy as np
import tensorflow_datasets as tfds

from data.common import BuildError, Item, Report, VideoBuilder
from data.common.builder import caption_fields
from data.common.items import VIDEOS
from data.common.tables import read_table


class Builder(VideoBuilder):
    """A table has a column with a path below the source, or with an id that is the file's name, and
    one with a caption; a duration in seconds or as PT00H00M12S is stored. Several rows of a file
    are its captions. Columns are found by their usual names, or named by options.
    """

    TABLES = ("train", "val", "test")
    OPTIONS = {
        "source": "the folder that the paths in the tables are relative to",
        "train": "the table of the split train (CSV)",
        "val": "the table of the split val (optional)",
        "test": "the table of the split test (optional)",
        "path_column": "the column with the path (optional)",
        "id_column": "the column with the id (optional)",
        "caption_column": "the column with the caption (optional)",
    }
    ENDINGS = VIDEOS

    def features(self):
        stated = tfds.features.Scalar(np.float32, doc="duration in the table; -1: none")
        return caption_fields() | {"stated_seconds": stated}

    def items(self, report: Report) -> Iterator[Item]:
        source = self.path("source")
        tables = [split for split in self.TABLES if self.options.get(split)]
        if not tables:
            raise BuildError(f"--train is needed: {self.OPTIONS['train']}")
        for split in tables:
            table = self.path(split)
            yield from read_table(table, source, split, self.options, report, self.ENDINGS)
