"""The features of many clips, gathered in a folder chunk by chunk, so that nothing is done twice.

Memory holds two chunks of clips whatever their number. What is in the folder is there whole: an
interrupted gathering goes on where it stopped, and gives the same bits as one that never stopped.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from etils import epath
from jaxtyping import Float

from vdm_jax import parallel
from vdm_jax.checkpoints import atomic_file
from vdm_jax.config import differences
from vdm_jax.data import Element, Split
from vdm_jax.evaluation.features import Features
from vdm_jax.evaluation.frechet import Moments
from vdm_jax.progress import counted


@dataclass(frozen=True)
class Chunk:
    """The features of some clips: rows [n d], as many for each clip, and the clips' keys."""

    keys: tuple[str, ...]
    features: Float[np.ndarray, "n d"]


@dataclass(frozen=True)
class Gathered:
    """A folder with the features of `clips` clips, `chunk` clips a file."""

    folder: epath.Path
    clips: int
    chunk: int

    def __iter__(self) -> Iterator[Chunk]:
        """The chunks in order, one in memory at a time."""
        for number in range(-(-self.clips // self.chunk)):
            yield _read(self.folder, number)

    def features(self) -> Float[np.ndarray, "n d"]:
        """All rows, in the order of the clips."""
        return np.concatenate([chunk.features for chunk in self])

    def keys(self) -> list[str]:
        """The keys of the clips, in order."""
        return [key for chunk in self for key in chunk.keys]

    def moments(self) -> Moments:
        """Count, mean and scatter of all rows, in float64; constant memory."""
        moments = None
        for chunk in self:
            part = Moments.of(chunk.features)
            moments = part if moments is None else moments.merge(part)
        assert moments is not None
        return moments


def gather(
    features: Features,
    clips: Split,
    folder: str | os.PathLike,
    record: Mapping[str, Any],
    *,
    chunk: int = 32,
    readers: int = 4,
    title: str = "features",
) -> Gathered:
    """The features of `clips`, computed and kept in `folder`, as far as they are not there yet.

    record: all that the features depend on, as JSON; another in the folder is refused.
    readers: threads that read the clips of the next chunk while the last is worked on.

    With several processes each takes every n-th chunk, and all see the whole at the end: the folder
    is one that they share, on a disk or in a bucket.

    Raises:
      ValueError: no clips; clips of several lengths or sizes; features that are not finite, by the
        keys of the clips; a folder with the features of something else.
    """
    folder, count = epath.Path(folder), len(clips)
    if not count:
        raise ValueError(f"there are no clips to compute {title} of")
    _agree(folder, {"clips": count, "chunk": chunk, **record})
    numbers = range(jax.process_index(), -(-count // chunk), jax.process_count())
    there = {file.name for file in folder.iterdir()}
    missing = [n for n in numbers if _file(n) not in there]
    mine = sum(min(chunk, count - n * chunk) for n in numbers)
    left = sum(min(chunk, count - n * chunk) for n in missing)
    shape = np.asarray(clips[0]["video"]).shape if missing else ()
    with ThreadPoolExecutor(readers) as pool, counted(title, mine, mine - left) as advance:
        for number, elements in _read_ahead(clips, missing, chunk, pool):
            found = _features(features, elements, shape, clips, title)
            _write(folder, number, Chunk(tuple(e["key"] for e in elements), found))
            advance(len(elements))
            del elements  # or a third chunk is in memory while the next two are read
    parallel.barrier(f"features in {folder}")
    return Gathered(folder, count, chunk)


def cached_features(
    features: Features,
    clips: Split,
    folder: str | os.PathLike,
    record: Mapping[str, Any],
    **options: Any,
) -> Gathered:
    """`gather` in a folder of `folder` named by the record's fingerprint: reference statistics.

    Whatever they depend on belongs in the record, so that a change of any of it is another folder.
    """
    return gather(features, clips, epath.Path(folder) / fingerprint(record), record, **options)


def fingerprint(record: Any) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of a record's canonical JSON."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _agree(folder: epath.Path, record: Mapping[str, Any]) -> None:
    """Says in the folder what is in it, or refuses one with something else."""
    record, index = json.loads(json.dumps(record)), folder / "index.json"
    if parallel.is_main_process() and not index.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_file(index) as partial:
            partial.write_text(json.dumps(record, indent=2) + "\n")
    parallel.barrier(f"index of {folder}")
    if not index.exists():
        raise ValueError(f"{index} is not there: several processes need a folder that they share")
    if found := differences(record, json.loads(index.read_text())):
        raise ValueError(
            f"{folder} holds the features of something else: {found[0]} (there -> here); name "
            "another folder, or remove it"
        )


def _read_ahead(
    clips: Split, numbers: Sequence[int], chunk: int, pool: ThreadPoolExecutor
) -> Iterator[tuple[int, list[Element]]]:
    """The chunks in order; while one is worked on, the next one is being read."""
    reading: tuple[int, list[Future[Element]]] | None = None
    for number in [*numbers, None]:
        previous, reading = reading, None
        if number is not None:
            places = range(number * chunk, min((number + 1) * chunk, len(clips)))
            reading = number, [pool.submit(clips.__getitem__, place) for place in places]
        if previous is not None:
            yield previous[0], [future.result() for future in previous[1]]


def _features(
    features: Features,
    elements: Sequence[Element],
    shape: tuple[int, ...],
    clips: Split,
    title: str,
) -> Float[np.ndarray, "n d"]:
    """The features of one chunk, in float32; every trouble by the key of its clip."""
    for element in elements:
        if (here := np.asarray(element["video"]).shape) != shape:
            words = "{} frames of {} x {} pixels".format
            raise ValueError(
                f"{title} need clips of one length and size: {element['key']} has "
                f"{words(*here[:3])}, {clips[0]['key']} has {words(*shape[:3])}"
            )
    found = np.asarray(features(np.stack([element["video"] for element in elements])), np.float32)
    fine = np.isfinite(found.reshape(len(elements), -1)).all(axis=1)
    if not fine.all():
        names = [elements[place]["key"] for place in np.flatnonzero(~fine).tolist()]
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        raise ValueError(
            f"{title} are not finite for {', '.join(names[:5])}{more}: look for NaN in the "
            "weights, and for clips that are not what they seem"
        )
    return found


def _file(number: int) -> str:
    return f"chunk-{number:06}.npz"


def _write(folder: epath.Path, number: int, chunk: Chunk) -> None:
    """An archive that is there whole or not at all."""
    with atomic_file(folder / _file(number)) as partial, partial.open("wb") as file:
        np.savez(file, keys=np.array(chunk.keys), features=chunk.features)


def _read(folder: epath.Path, number: int) -> Chunk:
    path = folder / _file(number)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Chunk(tuple(arrays["keys"].tolist()), arrays["features"])
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path} is not there: the features were not gathered to the end, or by processes "
            "that do not share the folder"
        ) from None
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        raise ValueError(f"{path} is damaged ({error}): remove it, and it is made again") from None
