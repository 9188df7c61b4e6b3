"""Captioned videos that CSV tables tell of: WebVid's (Bain et al. 2021), and anybody's own.

    python -m data.build webvid_csv --source videos --train results_10M_train.csv \\
        --val results_10M_val.csv
"""

from collections.abc import Iterator

import numpy as np
import tensorflow_datasets as tfds

from data.common import Item, Problem, Report, VideoBuilder
from data.common.builder import captions
from data.common.items import VIDEOS
from data.common.tables import rows


class Builder(VideoBuilder):
    """A table has a column with a path below the source, or with an id that is the file's name, and
    one with a caption; a length in seconds or as PT00H00M12S is kept. Rows of the same file are
    captions of one clip. The columns are found by their usual names, or named.
    """

    TABLES = ("train", "val", "test")
    OPTIONS = {
        "source": "the folder that the paths in the tables start from",
        "train": "the table of the split train (CSV)",
        "val": "the table of the split val (may be left out)",
        "test": "the table of the split test (may be left out)",
        "path_column": "the column with the path (may be left out)",
        "id_column": "the column with the id (may be left out)",
        "caption_column": "the column with the caption (may be left out)",
    }
    ENDINGS = VIDEOS

    def features(self):
        stated = tfds.features.Scalar(np.float32, doc="what the table says; -1: nothing")
        return captions() | {"stated_seconds": stated}

    def items(self, report: Report) -> Iterator[Item]:
        source = self.path("source")
        tables = [split for split in self.TABLES if self.options.get(split)]
        if not tables:
            raise Problem(f"--train is needed: {self.OPTIONS['train']}")
        for split in tables:
            table = self.path(split)
            yield from rows(table, source, split, self.options, report, self.ENDINGS)
