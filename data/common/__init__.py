"""What the builders share: looking into videos, doing it on all cores, writing, reporting."""

from data.common.builder import VideoBuilder
from data.common.items import Array, File, Item
from data.common.reports import Problem, Report
from data.common.videos import Recode, Unusable

__all__ = ["Array", "File", "Item", "Problem", "Recode", "Report", "Unusable", "VideoBuilder"]
