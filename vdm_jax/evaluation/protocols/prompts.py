"""What samples are asked to be: nothing, classes by a histogram, captions of real videos."""

import hashlib
import json
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vdm_jax.evaluation.protocols.ucf101_classes import HISTOGRAMS, PROMPTS, ucf101_classes


class Prompt(typing.NamedTuple):
    """What one sample is asked to be; `key` names the real video that it belongs to, if any."""

    caption: str = ""
    label: int = -1
    key: str = ""


class VideoInfo(typing.Protocol):
    """What is known of one real video."""

    @property
    def key(self) -> str: ...
    @property
    def captions(self) -> tuple[str, ...]: ...
    @property
    def label(self) -> int | None: ...


class PromptSource(typing.Protocol):
    """A frozen dataclass: a rule that says what each sample is asked to be."""

    @property
    def of_real(self) -> bool:
        """Whether the rule has to see the real videos."""
        ...

    def asks(self, count: int | None, real: Sequence[VideoInfo]) -> list[Prompt]:
        """What `count` samples are asked to be; None is as many as the rule makes of itself."""
        ...


@dataclass(frozen=True)
class Unconditional:
    """Samples without any condition."""

    @property
    def of_real(self) -> bool:
        return False

    def asks(self, count: int | None, real: Sequence[VideoInfo] = ()) -> list[Prompt]:
        if count is None:
            raise ValueError("samples of nothing have no number of their own: set a count")
        return [Prompt()] * count


@dataclass(frozen=True)
class Classes:
    """Classes of UCF-101, as labels, and as prompts where a set of `prompts` is named.

    Drawn from the `histogram` (`HISTOGRAMS`) with `seed`, or, if `exact`, in its proportions: of
    N videos the class with share p gets floor(N p) or one more (largest remainders first), and of
    None exactly the histogram's counts.
    """

    histogram: str = "train"
    prompts: str | None = None
    exact: bool = False
    seed: int = 0

    @property
    def of_real(self) -> bool:
        return False

    def __post_init__(self):
        if self.histogram not in HISTOGRAMS:
            raise ValueError(
                f"Classes.histogram is {self.histogram!r}: one of {', '.join(HISTOGRAMS)}"
            )
        if self.prompts is not None and self.prompts not in PROMPTS:
            raise ValueError(f"Classes.prompts is {self.prompts!r}: one of {', '.join(PROMPTS)}")

    def asks(self, count: int | None, real: Sequence[VideoInfo] = ()) -> list[Prompt]:
        classes = ucf101_classes()
        weights = np.array([c.count(self.histogram) for c in classes])
        count = int(weights.sum()) if count is None else count
        if self.exact:
            labels = np.repeat(np.arange(len(classes)), apportion(weights, count))
        else:
            rng = np.random.default_rng(self.seed)
            labels = rng.choice(len(classes), size=count, p=weights / weights.sum())
        told = ["" if self.prompts is None else c.prompt(self.prompts) for c in classes]
        return [Prompt(told[label], int(label)) for label in labels]


@dataclass(frozen=True)
class RealCaptions:
    """Captions of the real videos: `every` one of each, the `first`, or `one` drawn with
    `seed`.

    In the order of the videos' keys. With a count, so many captions from the start.
    """

    each: Literal["every", "first", "one"] = "one"
    seed: int = 0

    @property
    def of_real(self) -> bool:
        return True

    def asks(self, count: int | None, real: Sequence[VideoInfo]) -> list[Prompt]:
        silent = [video.key for video in real if not video.captions]
        if silent:
            raise ValueError(
                f"{len(silent)} of {len(real)} real videos have no caption, the first is "
                f"{silent[0]}: put a .txt of the same name beside each, or give a table with the "
                "columns file,caption"
            )
        found: list[Prompt] = []
        for place, video in enumerate(real):
            label = -1 if video.label is None else video.label
            chosen = video.captions
            if self.each == "first":
                chosen = chosen[:1]
            elif self.each == "one":  # of each video by itself: others that come or go change none
                draw = np.random.default_rng((self.seed, place)).integers(len(chosen))
                chosen = (chosen[int(draw)],)
            found += [Prompt(caption, label, video.key) for caption in chosen]
        return found if count is None else found[:count]


@dataclass(frozen=True)
class RealLabels:
    """The label and the first caption of each real video, as often as it takes to make the count.

    For samples that belong to a real clip: continued, reconstructed, enlarged.
    """

    @property
    def of_real(self) -> bool:
        return True

    def asks(self, count: int | None, real: Sequence[VideoInfo]) -> list[Prompt]:
        asks = [
            Prompt(next(iter(v.captions), ""), -1 if v.label is None else v.label, v.key)
            for v in real
        ]
        return asks if count is None else [asks[i % len(asks)] for i in range(count)]


def apportion(weights: Sequence[int] | np.ndarray, count: int) -> np.ndarray:
    """`count` shared out in proportion to integer weights, the largest remainders rounded up."""
    weights = np.asarray(weights, np.int64)
    shares, rest = np.divmod(weights * count, weights.sum())
    most = np.argsort(-rest, kind="stable")[: count - int(shares.sum())]
    shares[most] += 1
    return shares


def prompts_hash(asks: Sequence[Prompt]) -> str:
    """SHA-256 of captions and labels in their order."""
    told = json.dumps([[ask.caption, ask.label] for ask in asks], ensure_ascii=False)
    return hashlib.sha256(told.encode("utf-8")).hexdigest()
