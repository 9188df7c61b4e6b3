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

from data.common import BuildError, File, Item, Report, UnusableVideo, VideoBuilder
from data.common.tfrecords import record_spans
from data.common.transcoding import encode_lossless

FRAMES, SIZE = 30, 64
CAMERAS = ("image_main", "image_aux1")


class Builder(VideoBuilder):
    """Frames are stored losslessly. Each camera is a variant: `image_main`, which VDM uses, and
    `image_aux1`, which MAGVIT uses.
    """

    OPTIONS = {
        "source": "the unpacked softmotion30_44k, with train and test",
        "camera": "image_main (default) or image_aux1",
    }
    EXPECTED = {"train": 43264, "test": 256, "all": 43520}

    def __init__(self, *, options=None, **settings):
        camera = (options or {}).get("camera") or CAMERAS[0]
        if camera not in CAMERAS:
            raise BuildError(f"--camera is {camera!r}: choose one of {', '.join(CAMERAS)}")
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
                spans, error = record_spans(path)
                if error:
                    report.drop(f"{split}/{path.name}", error)
                for number, span in enumerate(spans):
                    clip = BairRecord(path, *span, camera)
                    yield Item(f"{split}/{path.stem}-{number}", (split,), clip)


@dataclass(frozen=True)
class BairRecord:
    """A clip in a TFRecord file, from one camera.

    path: the TFRecord file.
    offset, length: the record in the file, in bytes.
    camera: one of `CAMERAS`.
    """

    path: Path
    offset: int
    length: int
    camera: str

    def read(self) -> bytes:
        features = self._features()
        frames = []
        for number in range(FRAMES):
            values = features[f"{number}/{self.camera}/encoded"].bytes_list.value
            if not values or len(values[0]) != SIZE * SIZE * 3:
                raise UnusableVideo(f"frame {number} of {self.camera} is not {SIZE}x{SIZE} pixels")
            frames.append(np.frombuffer(values[0], np.uint8).reshape(SIZE, SIZE, 3))
        return encode_lossless(np.stack(frames))

    def details(self) -> dict[str, Any]:
        features = self._features()

        def numbers(name: str) -> list[float]:
            return [x for f in range(FRAMES) for x in features[f"{f}/{name}"].float_list.value]

        return {"action": numbers("action"), "endeffector": numbers("endeffector_pos")}

    def identity(self) -> str:
        return f"{File(self.path).identity()}@{self.offset}/{self.camera}"

    def _features(self):
        with self.path.open("rb") as file:
            file.seek(self.offset)
            record = file.read(self.length)
        try:
            return tf_example_pb2.Example.FromString(record).features.feature
        except Exception as error:
            raise UnusableVideo(f"it is no record of the data set: {error}") from error
