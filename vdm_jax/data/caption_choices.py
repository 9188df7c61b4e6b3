"""Caption policies: which of a video's captions a clip gets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int


@runtime_checkable
class Captions(Protocol):
    """A caption policy."""

    def count(self, captions: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """The number of copies of each clip, from the number of captions of its video."""
        ...

    def choose(self, record: Mapping[str, Sequence[Any]], number: int, u: float) -> int:
        """The index of the caption of copy `number`; `u` is random in [0, 1), or 0 in evaluation.

        Raises:
          ValueError: the record has no such caption.
        """
        ...


@dataclass(frozen=True)
class RandomCaption:
    """A random caption in training, the first in evaluation."""

    def count(self, captions: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        return np.ones_like(captions)

    def choose(self, record: Mapping[str, Sequence[Any]], number: int, u: float) -> int:
        return int(u * len(record["captions"]))


@dataclass(frozen=True)
class FirstCaption(RandomCaption):
    """The first caption."""

    def choose(self, record: Mapping[str, Sequence[Any]], number: int, u: float) -> int:
        return 0


@dataclass(frozen=True)
class EveryCaption:
    """Every caption: each clip appears once with each. Videos without a caption are left out."""

    def count(self, captions: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        return captions

    def choose(self, record: Mapping[str, Sequence[Any]], number: int, u: float) -> int:
        return number


@dataclass(frozen=True)
class CaptionWithId(RandomCaption):
    """The caption whose id (MSR-VTT: sen_id) is in `ids`."""

    ids: tuple[int, ...]

    def choose(self, record: Mapping[str, Sequence[Any]], number: int, u: float) -> int:
        for index, caption_id in enumerate(record["caption_ids"]):
            if caption_id in self.ids:
                return index
        raise ValueError(
            f"{record['key'][0].decode()} has the captions {list(record['caption_ids'])}, none of "
            f"which is in CaptionWithId.ids ({len(self.ids)} of them)"
        )


@dataclass(frozen=True)
class CaptionOf(RandomCaption):
    """The caption of a benchmark; the record's field `benchmark` is its index."""

    benchmark: str

    def choose(self, record: Mapping[str, Sequence[Any]], number: int, u: float) -> int:
        (index,) = record.get(self.benchmark) or (-1,)
        if index < 0:
            known = [name for name in record if name.startswith("caption_") and name[8:] != "ids"]
            raise ValueError(
                f"{record['key'][0].decode()} has no caption of {self.benchmark!r}; this data set "
                f"has {', '.join(known) or 'no benchmark'}"
            )
        return index
