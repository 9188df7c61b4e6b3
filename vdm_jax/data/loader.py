"""Endless batches for training: shuffled, split over hosts, read ahead, resumed by a number."""

import sys
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import grain
import jax
import numpy as np
from absl import flags

from vdm_jax.data.buckets import Bucketed
from vdm_jax.data.collate import collate
from vdm_jax.data.shuffling import endless, member_seed
from vdm_jax.data.sources import Source, Split, sides
from vdm_jax.data.text import Text


class Batches(Iterator[dict[str, np.ndarray]]):
    """An endless iterator of batches whose whole state is the number of the next one."""

    def __init__(self, dataset: grain.IterDataset, start: int):
        self._next = start
        self._batches = iter(dataset)
        # Runs at interpreter exit as well, where a reader still at work would leave a traceback.
        self.close = weakref.finalize(self, self._batches.close)

    def __next__(self) -> dict[str, np.ndarray]:
        batch = next(self._batches)
        self._next += 1
        return batch

    def state(self) -> int:
        """The index of the next global batch: `start` of an iterator that goes on from here."""
        return self._next


@dataclass(frozen=True)
class Loader:
    """Endless training batches of `batch` clips over all hosts.

    Every epoch is a new global shuffle, and epochs follow one another without a gap. A clip's
    random choices are a function of (seed, epoch, clip), and a batch is one of (seed, its index):
    neither depends on the number of hosts or of `workers`. Each clip is followed by `images`
    single frames of other clips (Ho et al. 2022, section 3), or by pictures where the source is
    `WithImages`. Of `Buckets`, each batch is of one bucket, and has that bucket's `batch`.

    `workers` processes read ahead (0: threads of this one); `ahead` batches are kept ready.
    """

    batch: int = 8
    text: Text | None = None
    images: int = 0
    workers: int = 0
    ahead: int = 2

    def __post_init__(self):
        for field, least in (("batch", 1), ("images", 0), ("workers", 0), ("ahead", 1)):
            if getattr(self, field) < least:
                raise ValueError(
                    f"Loader.{field} is {getattr(self, field)}: it is at least {least}"
                )

    def shapes(self, source: Source, *, labels: bool = False) -> dict[str, jax.ShapeDtypeStruct]:
        """A global batch as shapes, without opening the data, which may have `labels` or not.

        It is all that a network's parameters and a step's cost depend on.
        """
        rows = (self.batch, source.frames + self.images)
        packed = getattr(source, "clips_in_row", 1) + self.images
        clips = (self.batch, packed) if packed > 1 else (self.batch,)
        found = {"video": jax.ShapeDtypeStruct((*rows, *sides(source.size), 3), np.uint8)}
        if packed > 1:
            found["segments"] = jax.ShapeDtypeStruct(rows, np.int32)
        if self.text is not None:
            for name, row in self.text.batch([""]).items():
                found[name] = jax.ShapeDtypeStruct((*clips, *row.shape[1:]), row.dtype)
        if labels:
            found["label"] = jax.ShapeDtypeStruct(clips, np.int32)
        return found

    def __call__(
        self, clips: Split, *, seed: int, start: int = 0, host: int = 0, hosts: int = 1
    ) -> Batches:
        """Batches `start`, `start` + 1, ...: of each, the rows of `host`, a `hosts`th of them.

        The batches are dicts of arrays as `collate` makes them, with `batch` / `hosts` rows.
        """
        if not 0 <= host < hosts:
            raise ValueError(f"host {host} of {hosts}: hosts are numbered 0 .. {hosts - 1}")
        share = partial(self._share, host=host, hosts=hosts)
        if isinstance(clips, Bucketed):
            pairs = zip(clips.buckets, clips.members, strict=True)
            kinds = [share(m, b.batch, member_seed(seed, n)) for n, (b, m) in enumerate(pairs)]
            batches = grain.MapDataset.mix(kinds, [bucket.weight for bucket in clips.buckets])
        else:
            batches = share(clips, self.batch, seed)
        batches = batches.slice(slice(start, None))
        if self.workers == 0:
            options = grain.ReadOptions(num_threads=self.ahead, prefetch_buffer_size=self.ahead)
            return Batches(batches.to_iter_dataset(options), start)
        # Grain reads absl's flags in its workers, which a plain script or notebook never parses.
        if not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()
        dataset = batches.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=1))
        each = -(-self.ahead // self.workers)
        return Batches(dataset.mp_prefetch(grain.MultiprocessingOptions(self.workers, each)), start)

    def _share(
        self, clips: Split, batch: int, seed: int, *, host: int, hosts: int
    ) -> grain.MapDataset:
        """The batches of one host, in order."""
        if batch % hosts:
            raise ValueError(
                f"Loader.batch is {batch}, which {hosts} hosts cannot share equally: "
                f"make it a multiple of {hosts}"
            )
        rows = endless(clips, seed, self.images)
        share = Share(rows, batch // hosts, host, hosts, self.text)
        return grain.MapDataset.range(sys.maxsize // batch).map(share)


@dataclass(frozen=True, eq=False)
class Share:
    """The rows of one host in every global batch: `count` of them, behind those of hosts before.

    Rows are found by their number in the one endless order, so that the global batches are the same
    for any number of hosts, to the order of their rows, and for any number of workers.
    """

    rows: grain.MapDataset
    count: int
    host: int
    hosts: int
    text: Text | None

    def __call__(self, batch: int) -> dict[str, np.ndarray]:
        first = (batch * self.hosts + self.host) * self.count
        return collate([self.rows[n] for n in range(first, first + self.count)], self.text)
