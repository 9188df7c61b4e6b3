"""The loader: endless shuffled batches, split over hosts, prefetched, resumed by a number."""

import sys
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import grain
import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from vdm_jax.data.buckets import BucketClips
from vdm_jax.data.collate import collate
from vdm_jax.data.shuffling import endless, member_seed
from vdm_jax.data.sources import PackedSource, Source, Split, sides
from vdm_jax.data.text import Text


class Batches(Iterator[dict[str, np.ndarray]]):
    """An endless iterator of batches; its whole state is the number of the next batch."""

    def __init__(self, dataset: grain.IterDataset, start: int):
        self._next = start
        self._batches = iter(dataset)
        # Runs at interpreter exit too: a reader still at work would print a traceback.
        self.close = weakref.finalize(self, self._batches.close)

    def __next__(self) -> dict[str, np.ndarray]:
        batch = next(self._batches)
        self._next += 1
        return batch

    def state(self) -> int:
        """The index of the next global batch: the `start` of an iterator that resumes here."""
        return self._next


@dataclass(frozen=True)
class Loader:
    """Endless training batches.

    Every epoch is a new global shuffle, and epochs follow one another without a gap. A clip's
    random choices are a function of (seed, epoch, clip), and a batch is a function of (seed, its
    index); neither depends on the number of hosts or of `workers`.

    batch: clips in a global batch; with `Buckets`, each bucket's own `batch` replaces it.
    text: tokenizer or stored embeddings of the captions; None leaves captions out.
    images: single images appended to each clip: frames of other clips (Ho et al. 2022, section 3),
      or images of `WithImages`.
    workers: processes that prefetch; 0 uses threads of this process.
    ahead: number of batches to prefetch.
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
                    f"Loader.{field} is {getattr(self, field)}: it must be at least {least}"
                )

    def shapes(self, source: Source, *, labels: bool = False) -> dict[str, jax.ShapeDtypeStruct]:
        """A global batch as shapes, without opening the data.

        Parameters and the cost of a step depend on these shapes alone.

        labels: whether the source has labels.
        """
        frames = (self.batch, source.frames + self.images)
        packed = source.clips_per_element if isinstance(source, PackedSource) else 1
        packed += self.images
        clips = (self.batch, packed) if packed > 1 else (self.batch,)
        shapes = {"video": jax.ShapeDtypeStruct((*frames, *sides(source.size), 3), np.uint8)}
        if packed > 1:
            shapes["segments"] = jax.ShapeDtypeStruct(frames, np.int32)
        if self.text is not None:
            for name, row in self.text.batch([""]).items():
                shapes[name] = jax.ShapeDtypeStruct((*clips, *row.shape[1:]), row.dtype)
        if labels:
            shapes["label"] = jax.ShapeDtypeStruct(clips, np.int32)
        return shapes

    def zeros(self, source: Source) -> dict[str, jax.Array]:
        """One batch element of zeros, which suffices to initialize parameters."""
        shapes = self.shapes(source)
        return {name: jnp.zeros((1, *s.shape[1:]), s.dtype) for name, s in shapes.items()}

    def __call__(
        self, clips: Split, *, seed: int, start: int = 0, host: int = 0, hosts: int = 1
    ) -> Batches:
        """Batches `start`, `start` + 1, ...: dicts of arrays as `collate` makes them.

        Each has the `batch` / `hosts` elements of the global batch that belong to `host`.
        """
        if not 0 <= host < hosts:
            raise ValueError(f"host {host} of {hosts}: hosts are numbered 0 .. {hosts - 1}")
        host_batches = partial(self._host_batches, host=host, hosts=hosts)
        if isinstance(clips, BucketClips):
            pairs = zip(clips.buckets, clips.members, strict=True)
            members = [
                host_batches(member, bucket.batch, member_seed(seed, n))
                for n, (bucket, member) in enumerate(pairs)
            ]
            batches = grain.MapDataset.mix(members, [bucket.weight for bucket in clips.buckets])
        else:
            batches = host_batches(clips, self.batch, seed)
        batches = batches.slice(slice(start, None))
        if self.workers == 0:
            options = grain.ReadOptions(num_threads=self.ahead, prefetch_buffer_size=self.ahead)
            return Batches(batches.to_iter_dataset(options), start)
        # Grain reads absl's flags in its workers; a plain script or notebook never parses them.
        if not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()
        dataset = batches.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=1))
        each = -(-self.ahead // self.workers)
        return Batches(dataset.mp_prefetch(grain.MultiprocessingOptions(self.workers, each)), start)

    def _host_batches(
        self, clips: Split, batch: int, seed: int, *, host: int, hosts: int
    ) -> grain.MapDataset:
        """The batches of one host, in order."""
        if batch % hosts:
            raise ValueError(
                f"Loader.batch is {batch}, which {hosts} hosts cannot divide equally: "
                f"make it a multiple of {hosts}"
            )
        elements = endless(clips, seed, self.images)
        host_batch = HostBatches(elements, batch // hosts, host, hosts, self.text)
        return grain.MapDataset.range(sys.maxsize // batch).map(host_batch)


@dataclass(frozen=True, eq=False)
class HostBatches:
    """The slice of one host in every global batch.

    Slices are consecutive in the one endless order, so the global batches are the same for any
    number of hosts, up to the order of their elements, and for any number of workers.

    elements: the endless order.
    count: elements of a slice.
    host, hosts: number of this host, and of all.
    text: see `Loader.text`.
    """

    elements: grain.MapDataset
    count: int
    host: int
    hosts: int
    text: Text | None

    def __call__(self, batch: int) -> dict[str, np.ndarray]:
        first = (batch * self.hosts + self.host) * self.count
        return collate([self.elements[n] for n in range(first, first + self.count)], self.text)
