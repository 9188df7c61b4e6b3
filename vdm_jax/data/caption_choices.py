"""Which of the captions of a video a clip is told by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int


@runtime_checkable
class Captions(Protocol):
    """A policy: how many clips the captions of a video make, and which caption each of them has."""

    def count(self, captions: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """By how much the clips of videos with so many captions are multiplied."""
        ...

    def choose(self, record: Mapping[str, Sequence[Any]], number: int, voice: float) -> int:
        """The place of the caption of copy `number`; `voice` is random in [0, 1), 0 for none."""
        ...


@dataclass(frozen=True)
class RandomCaption:
    """One at random in training; the first in evaluation."""

    def count(self, captions: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        return np.ones_like(captions)

    def choose(self, record: Mapping[str, Sequence[Any]], number: int, voice: float) -> int:
        return int(voice * len(record["captions"]))


@dataclass(frozen=True)
class FirstCaption(RandomCaption):
    """The first."""

    def choose(self, record: Mapping[str, Sequence[Any]], number: int, voice: float) -> int:
        return 0


@dataclass(frozen=True)
class EveryCaption:
    """All of them: every clip is there once with each. Videos without a caption are left out."""

    def count(self, captions: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        return captions

    def choose(self, record: Mapping[str, Sequence[Any]], number: int, voice: float) -> int:
        return number


@dataclass(frozen=True)
class CaptionWithId(RandomCaption):
    """The one whose id (MSR-VTT: sen_id) is among `ids`."""

    ids: tuple[int, ...]

    def choose(self, record: Mapping[str, Sequence[Any]], number: int, voice: float) -> int:
        for place, known in enumerate(record["caption_ids"]):
            if known in self.ids:
                return place
        raise ValueError(
            f"{record['key'][0].decode()} has the captions {list(record['caption_ids'])}, none of "
            f"which is in CaptionWithId.ids ({len(self.ids)} of them)"
        )


@dataclass(frozen=True)
class CaptionOf(RandomCaption):
    """The one that a benchmark uses: its place is in the record's field `benchmark`."""

    benchmark: str

    def choose(self, record: Mapping[str, Sequence[Any]], number: int, voice: float) -> int:
        (place,) = record.get(self.benchmark) or (-1,)
        if place < 0:
            known = [name for name in record if name.startswith("caption_") and name[8:] != "ids"]
            raise ValueError(
                f"{record['key'][0].decode()} has no caption of {self.benchmark!r}; this data set "
                f"knows {', '.join(known) or 'no benchmark'}"
            )
        return place
