"""BAIR robot pushing (Ebert et al. 2017): 30 frames of 64x64 pixels from each of two cameras.

python -m data.build bair --source softmotion30_44k
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.proto import tf_example_pb2

from data.common import File, Item, Problem, Report, Unusable, VideoBuilder
from data.common.copies import lossless
from data.common.records import offsets

FRAMES, SIZE = 30, 64
CAMERAS = ("image_main", "image_aux1")


class Builder(VideoBuilder):
    """Frames are stored without loss. The camera is `image_main`, as VDM takes it, or `image_aux1`,
    as MAGVIT does; each is a variant of the data set.
    """

    OPTIONS = {
        "source": "the unpacked softmotion30_44k, with train and test",
        "camera": "image_main or image_aux1 (image_main if it is left out)",
    }
    EXPECTED = {"train": 43264, "test": 256, "all": 43520}

    def __init__(self, *, options=None, **settings):
        camera = (options or {}).get("camera") or CAMERAS[0]
        if camera not in CAMERAS:
            raise Problem(f"--camera is {camera!r}: it is one of {', '.join(CAMERAS)}")
        if camera != CAMERAS[0]:
            settings = {"variant": camera, **settings}
        super().__init__(options=options, **settings)

    def features(self):
        return {
            "action": tfds.features.Sequence(np.float32, doc="4 a frame"),
            "endeffector": tfds.features.Sequence(np.float32, doc="its position, 3 a frame"),
        }

    def items(self, report: Report) -> Iterator[Item]:
        source = self.path("source")
        camera = self.options.get("camera") or CAMERAS[0]
        for split in ("train", "test"):
            for path in sorted((source / split).glob("*.tfrecord*")):
                records, trouble = offsets(path)
                if trouble:
                    report.drop(f"{split}/{path.name}", trouble)
                for number, place in enumerate(records):
                    clip = Pushing(path, *place, camera)
                    yield Item(f"{split}/{path.stem}-{number}", (split,), clip)


@dataclass(frozen=True)
class Pushing:
    """The record of a clip in a TFRecord file, seen from one camera."""

    path: Path
    offset: int
    length: int
    camera: str

    def read(self) -> bytes:
        told = self._told()
        frames = []
        for number in range(FRAMES):
            values = told[f"{number}/{self.camera}/encoded"].bytes_list.value
            if not values or len(values[0]) != SIZE * SIZE * 3:
                raise Unusable(f"its frame {number} of {self.camera} is not {SIZE}x{SIZE} pixels")
            frames.append(np.frombuffer(values[0], np.uint8).reshape(SIZE, SIZE, 3))
        return lossless(np.stack(frames))

    def details(self) -> dict[str, Any]:
        told = self._told()

        def numbers(name: str) -> list[float]:
            return [x for f in range(FRAMES) for x in told[f"{f}/{name}"].float_list.value]

        return {"action": numbers("action"), "endeffector": numbers("endeffector_pos")}

    def identity(self) -> str:
        return f"{File(self.path).identity()}@{self.offset}/{self.camera}"

    def _told(self):
        with self.path.open("rb") as file:
            file.seek(self.offset)
            record = file.read(self.length)
        try:
            return tf_example_pb2.Example.FromString(record).features.feature
        except Exception as error:
            raise Unusable(f"it is no record of the data set: {error}") from error
