"""Batches of several shapes: each batch of one, and which one a function of its number."""

from dataclasses import dataclass

from vdm_jax.data.sources import Element, Size, Source, Split


@dataclass(frozen=True)
class Bucket:
    """Clips of one shape: a global batch has `batch` of them, and `weight` says how often it comes.

    A larger picture or a longer clip takes a smaller batch, for a step of the same cost.
    """

    source: Source
    batch: int
    weight: float = 1.0

    def __post_init__(self):
        if self.batch < 1:
            raise ValueError(f"Bucket.batch is {self.batch}: it is at least 1")
        if self.weight <= 0:
            raise ValueError(f"Bucket.weight is {self.weight}: it is positive")


@dataclass(frozen=True)
class Buckets:
    """Clips of several shapes (sizes, frame counts, frame rates), a batch always of one.

    The bucket of a batch depends on its number alone, so that all hosts compile and run the same
    shapes at the same time. `frames` and `size` are those of the first bucket, whose clips are held
    out.
    """

    buckets: tuple[Bucket, ...]

    def __post_init__(self):
        if not self.buckets:
            raise ValueError("Buckets.buckets: there is none")

    @property
    def frames(self) -> int:
        return self.buckets[0].source.frames

    @property
    def size(self) -> Size:
        return self.buckets[0].source.size

    def clips(self, split: str) -> "Split":
        """The clips of all buckets for training, or those that the first one holds out."""
        if split != "train":
            return self.buckets[0].source.clips(split)
        return Bucketed(self.buckets, tuple(b.source.clips(split) for b in self.buckets))


@dataclass(frozen=True)
class Bucketed:
    """The training clips of `buckets`; by index, one bucket after another."""

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
