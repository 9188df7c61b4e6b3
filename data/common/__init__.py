"""The code that all builders share: probing, transcoding, parallel preparation, reports."""

from data.common.builder import VideoBuilder
from data.common.items import Array, File, Item
from data.common.reports import BuildError, Report
from data.common.transcoding import Recode, Remux, Transcoder
from data.common.videos import UnusableVideo

__all__ = [
    "Array",
    "BuildError",
    "File",
    "Item",
    "Recode",
    "Remux",
    "Report",
    "Transcoder",
    "UnusableVideo",
    "VideoBuilder",
]
