"""The features of some of the clips that were gathered."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vdm_jax.evaluation.frechet import Moments
from vdm_jax.evaluation.statistics import Gathered


@dataclass(frozen=True)
class Rows:
    """The features of clips `start` to `stop`, in the order in which they were gathered."""

    gathered: Gathered
    start: int
    stop: int

    @property
    def clips(self) -> int:
        """How many."""
        return self.stop - self.start

    def by_clip(self) -> Iterator[Float[np.ndarray, "b r d"]]:
        """Chunk by chunk, one in memory at a time: r rows of each clip, one or one for a frame."""
        first = 0
        for chunk in self.gathered:
            count = len(chunk.keys)
            low, high = max(self.start - first, 0), min(self.stop - first, count)
            if low < high:
                rows = chunk.features.reshape(count, -1, chunk.features.shape[1])
                yield rows[low:high]
            first += count

    def __iter__(self) -> Iterator[Float[np.ndarray, "n d"]]:
        """Chunk by chunk, the rows of all clips one after the other."""
        for part in self.by_clip():
            yield part.reshape(-1, part.shape[-1])

    def features(self) -> Float[np.ndarray, "n d"]:
        """All rows."""
        return np.concatenate(list(self))

    def moments(self) -> Moments:
        """Count, mean and scatter in float64; constant memory."""
        parts = iter(self)
        moments = Moments.of(next(parts))
        for part in parts:
            moments = moments.update(part)
        return moments
