"""Moving MNIST (Srivastava et al. 2015): the test set of 10,000 clips of 20 frames of 64x64.

python -m data.build moving_mnist --source mnist_test_seq.npy
"""

from collections.abc import Iterator

import numpy as np

from data.common import Array, BuildError, Item, Report, VideoBuilder


class Builder(VideoBuilder):
    """The file is uint8 [20, 10000, 64, 64], frames first. Clips are stored losslessly, in gray.

    There is no training set: papers generate their own.
    """

    OPTIONS = {"source": "mnist_test_seq.npy"}
    EXPECTED = {"test": 10000, "all": 10000}

    def items(self, report: Report) -> Iterator[Item]:
        path = self.path("source")
        try:
            frames = np.load(path, mmap_mode="r")
        except (ValueError, OSError, EOFError) as error:
            raise BuildError(f"{path} cannot be read; download it again: {error}") from error
        if frames.ndim != 4 or frames.dtype != np.uint8:
            raise BuildError(
                f"{path} is {frames.dtype} {frames.shape}, not uint8 (20, 10000, 64, 64)"
            )
        for number in range(frames.shape[1]):
            yield Item(f"{number:05}", ("test",), Array(path, number, axis=1))
