"""Buckets: batches of several shapes, each batch of one."""

from dataclasses import dataclass

from vdm_jax.data.sources import Element, Size, Source, Split


@dataclass(frozen=True)
class Bucket:
    """Clips of one shape.

    Larger frames or longer clips need a smaller batch for a step of the same cost.

    source: its clips.
    batch: global batch size.
    weight: relative frequency of its batches.
    """

    source: Source
    batch: int
    weight: float = 1.0

    def __post_init__(self):
        if self.batch < 1:
            raise ValueError(f"Bucket.batch is {self.batch}: it must be at least 1")
        if self.weight <= 0:
            raise ValueError(f"Bucket.weight is {self.weight}: it must be positive")


@dataclass(frozen=True)
class Buckets:
    """Clips of several shapes (sizes, frame counts, frame rates); each batch is of one bucket.

    The bucket of a batch depends on the batch's number alone, so all hosts compile and run the same
    shapes at the same time. `frames`, `size` and the held-out clips are those of the first bucket.
    """

    buckets: tuple[Bucket, ...]

    def __post_init__(self):
        if not self.buckets:
            raise ValueError("Buckets.buckets is empty: it needs at least one Bucket")

    @property
    def frames(self) -> int:
        return self.buckets[0].source.frames

    @property
    def size(self) -> Size:
        return self.buckets[0].source.size

    def clips(self, split: str) -> Split:
        """The training clips of all buckets, or the held-out clips of the first."""
        if split != "train":
            return self.buckets[0].source.clips(split)
        return BucketClips(self.buckets, tuple(b.source.clips(split) for b in self.buckets))


@dataclass(frozen=True)
class BucketClips:
    """The training clips of `buckets`; an index counts one bucket after another."""

    buckets: tuple[Bucket, ...]
    members: tuple[Split, ...]

    def __len__(self) -> int:
        return sum(map(len, self.members))

    def __getitem__(self, index: int) -> Element:
        for member in self.members:
            if 0 <= index < len(member):
                return member[index]
            index -= len(member)
        raise IndexError(f"clip {index + len(self)} of {len(self)}")
