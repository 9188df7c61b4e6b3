"""Captioned images that CSV tables tell of, for training on images and videos together.

python -m data.build images_csv --source images --train captions.csv
"""

from data.common.items import IMAGES
from data.webvid_csv import webvid_csv_dataset_builder


class Builder(webvid_csv_dataset_builder.Builder):
    """The tables are those of webvid_csv, and an image is a clip of one frame."""

    ENDINGS = IMAGES
