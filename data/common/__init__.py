"""What the builders share: looking into videos, doing it on all cores, writing, reporting."""

from data.common.builder import VideoBuilder
from data.common.copies import Copy, Recode, Remux
from data.common.items import Array, File, Item
from data.common.reports import Problem, Report
from data.common.videos import Unusable

__all__ = [
    "Array",
    "Copy",
    "File",
    "Item",
    "Problem",
    "Recode",
    "Remux",
    "Report",
    "Unusable",
    "VideoBuilder",
]
