"""Captioned images listed in CSV tables, for joint training on images and videos.

python -m data.build images_csv --source images --train captions.csv
"""

from data.common.items import IMAGES
from data.webvid_csv import webvid_csv_dataset_builder


class Builder(webvid_csv_dataset_builder.Builder):
    """The tables are those of webvid_csv; an image is a clip of one frame."""

    ENDINGS = IMAGES
