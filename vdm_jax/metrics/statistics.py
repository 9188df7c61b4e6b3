"""The features of many clips, computed chunk by chunk and saved in a folder.

Memory holds at most two chunks of clips. Files are written atomically: an interrupted computation
resumes at the next chunk and gives bit-identical features.
"""

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
from vdm_jax.config import differences, upgrade
from vdm_jax.data import Element, Split
from vdm_jax.metrics.features import Features
from vdm_jax.metrics.fingerprint import fingerprint
from vdm_jax.metrics.frechet import Moments
from vdm_jax.progress import progress_bar
from vdm_jax.storage import atomic_file


@dataclass(frozen=True)
class Chunk:
    """The features [n d] of some clips, equally many vectors per clip, and the clips' keys."""

    keys: tuple[str, ...]
    features: Float[np.ndarray, "n d"]


@dataclass(frozen=True)
class StoredFeatures:
    """A folder with the features of `clips` clips, `chunk` clips per file."""

    folder: epath.Path
    clips: int
    chunk: int

    def __iter__(self) -> Iterator[Chunk]:
        """The chunks in order, one in memory at a time."""
        for number in range(-(-self.clips // self.chunk)):
            yield _read(self.folder, number)

    def features(self) -> Float[np.ndarray, "n d"]:
        """All vectors, in the order of the clips."""
        return np.concatenate([chunk.features for chunk in self])

    def keys(self) -> list[str]:
        """The keys of the clips, in order."""
        return [key for chunk in self for key in chunk.keys]

    def moments(self) -> Moments:
        """Count, mean and scatter of all vectors, in float64; constant memory."""
        moments = None
        for chunk in self:
            new = Moments.of(chunk.features)
            moments = new if moments is None else moments.merge(new)
        assert moments is not None
        return moments


def compute_features(
    features: Features,
    clips: Split,
    folder: str | os.PathLike,
    record: Mapping[str, Any],
    *,
    chunk: int = 32,
    readers: int = 4,
    title: str = "features",
) -> StoredFeatures:
    """The features of `clips`, saved in `folder`; chunks that are already there are not recomputed.

    Each of n processes computes every n-th chunk; the folder must be shared by all of them, on a
    common disk or on gs:// or s3://.

    record: JSON of all that the features depend on; a folder with another record is refused.
    chunk: clips per file.
    readers: threads that read the next chunk while the current one is computed.
    title: the name of the features in messages.

    Raises:
      ValueError: no clips; clips of several lengths or sizes; features that are not finite (names
        the clips); a folder with other features.
    """
    folder, count = epath.Path(folder), len(clips)
    if not count:
        raise ValueError(f"no clips to compute {title} of: give at least one")
    _claim(folder, {"clips": count, "chunk": chunk, **record})
    numbers = range(jax.process_index(), -(-count // chunk), jax.process_count())
    saved = {file.name for file in folder.iterdir()}
    missing = [n for n in numbers if _file(n) not in saved]
    own = sum(min(chunk, count - n * chunk) for n in numbers)
    left = sum(min(chunk, count - n * chunk) for n in missing)
    shape = np.asarray(clips[0]["video"]).shape if missing else ()
    with ThreadPoolExecutor(readers) as pool, progress_bar(title, own, own - left) as advance:
        for number, elements in _read_ahead(clips, missing, chunk, pool):
            vectors = _features(features, elements, shape, clips, title)
            _write(folder, number, Chunk(tuple(e["key"] for e in elements), vectors))
            advance(len(elements))
            del elements  # else a third chunk stays in memory while the next two are read
    parallel.barrier(f"features in {folder}")
    return StoredFeatures(folder, count, chunk)


def cached_features(
    features: Features,
    clips: Split,
    folder: str | os.PathLike,
    record: Mapping[str, Any],
    **options: Any,
) -> StoredFeatures:
    """`compute_features` in a subfolder of `folder` named after the record's fingerprint.

    The record must hold all that the features depend on, so that any change selects another
    subfolder.
    """
    return compute_features(
        features, clips, epath.Path(folder) / fingerprint(record), record, **options
    )


def _claim(folder: epath.Path, record: Mapping[str, Any]) -> None:
    """Writes the record into the folder, or refuses a folder with another record."""
    record, index = json.loads(json.dumps(record)), folder / "index.json"
    if parallel.is_main_process() and not index.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_file(index) as partial:
            partial.write_text(json.dumps(record, indent=2) + "\n")
    parallel.barrier(f"index of {folder}")
    if not index.exists():
        raise ValueError(f"{index} is missing: several processes need one shared folder")
    if changes := differences(record, upgrade(json.loads(index.read_text()))):
        raise ValueError(
            f"{folder} holds other features: {changes[0]} (saved -> requested); name another "
            "folder, or remove this one"
        )


def _read_ahead(
    clips: Split, numbers: Sequence[int], chunk: int, pool: ThreadPoolExecutor
) -> Iterator[tuple[int, list[Element]]]:
    """The chunks in order; the next chunk is read while the caller works on the current one."""
    reading: tuple[int, list[Future[Element]]] | None = None
    for number in [*numbers, None]:
        previous, reading = reading, None
        if number is not None:
            indices = range(number * chunk, min((number + 1) * chunk, len(clips)))
            reading = number, [pool.submit(clips.__getitem__, index) for index in indices]
        if previous is not None:
            yield previous[0], [future.result() for future in previous[1]]


def _features(
    features: Features,
    elements: Sequence[Element],
    shape: tuple[int, ...],
    clips: Split,
    title: str,
) -> Float[np.ndarray, "n d"]:
    """The features of one chunk, in float32; errors name the clip's key."""
    for element in elements:
        if (other := np.asarray(element["video"]).shape) != shape:
            size = "{} frames of {} x {} pixels".format
            raise ValueError(
                f"{title} need clips of one length and size: {element['key']} has "
                f"{size(*other[:3])}, {clips[0]['key']} has {size(*shape[:3])}"
            )
    vectors = np.asarray(features(np.stack([element["video"] for element in elements])), np.float32)
    finite = np.isfinite(vectors.reshape(len(elements), -1)).all(axis=1)
    if not finite.all():
        names = [elements[index]["key"] for index in np.flatnonzero(~finite).tolist()]
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        raise ValueError(
            f"{title} are not finite for {', '.join(names[:5])}{more}: check the weights and these "
            "clips for NaN"
        )
    return vectors


def _file(number: int) -> str:
    return f"chunk-{number:06}.npz"


def _write(folder: epath.Path, number: int, chunk: Chunk) -> None:
    """Writes a chunk atomically."""
    with atomic_file(folder / _file(number)) as partial, partial.open("wb") as file:
        np.savez(file, keys=np.array(chunk.keys), features=chunk.features)


def _read(folder: epath.Path, number: int) -> Chunk:
    path = folder / _file(number)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Chunk(tuple(arrays["keys"].tolist()), arrays["features"])
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path} is missing: the computation was interrupted (rerun it), or its processes do "
            "not share the folder"
        ) from None
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        raise ValueError(f"{path} is damaged ({error}): remove it to recompute it") from None
