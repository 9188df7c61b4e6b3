"""The features of a range of the clips of `StoredFeatures`."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vdm_jax.metrics.frechet import Moments
from vdm_jax.metrics.statistics import StoredFeatures


@dataclass(frozen=True)
class ClipFeatures:
    """The features of clips `start` to `stop`, in the order of the stored features."""

    stored: StoredFeatures
    start: int
    stop: int

    @property
    def clips(self) -> int:
        """The number of clips."""
        return self.stop - self.start

    def by_clip(self) -> Iterator[Float[np.ndarray, "b r d"]]:
        """Chunk by chunk, one in memory at a time; r vectors per clip, 1 or one per frame."""
        first = 0
        for chunk in self.stored:
            count = len(chunk.keys)
            low, high = max(self.start - first, 0), min(self.stop - first, count)
            if low < high:
                vectors = chunk.features.reshape(count, -1, chunk.features.shape[1])
                yield vectors[low:high]
            first += count

    def __iter__(self) -> Iterator[Float[np.ndarray, "n d"]]:
        """The vectors chunk by chunk, one chunk in memory at a time."""
        for vectors in self.by_clip():
            yield vectors.reshape(-1, vectors.shape[-1])

    def features(self) -> Float[np.ndarray, "n d"]:
        """All vectors."""
        return np.concatenate(list(self))

    def moments(self) -> Moments:
        """Count, mean and scatter in float64; constant memory."""
        chunks = iter(self)
        moments = Moments.of(next(chunks))
        for vectors in chunks:
            moments = moments.update(vectors)
        return moments
