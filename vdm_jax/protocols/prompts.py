"""Prompts of samples: none, classes from a histogram, or captions of real videos."""

import hashlib
import json
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vdm_jax.protocols.ucf101_classes import HISTOGRAMS, PROMPTS, ucf101_classes


class Prompt(typing.NamedTuple):
    """The conditions of one sample.

    caption: the text prompt; "" is none.
    label: the class; -1 is none.
    key: the name of the real video that the sample belongs to, if any.
    """

    caption: str = ""
    label: int = -1
    key: str = ""


@typing.runtime_checkable
class VideoInfo(typing.Protocol):
    """The name, captions and label of a real video."""

    @property
    def key(self) -> str: ...
    @property
    def captions(self) -> tuple[str, ...]: ...
    @property
    def label(self) -> int | None: ...


@typing.runtime_checkable
class PromptSource(typing.Protocol):
    """A frozen dataclass that makes the prompts of samples."""

    @property
    def needs_real(self) -> bool:
        """Whether the prompts depend on real videos."""
        ...

    def make_prompts(self, count: int | None, real: Sequence[VideoInfo]) -> list[Prompt]:
        """`count` prompts; None is all that the source has."""
        ...


@dataclass(frozen=True)
class Unconditional:
    """No conditions."""

    @property
    def needs_real(self) -> bool:
        return False

    def make_prompts(self, count: int | None, real: Sequence[VideoInfo] = ()) -> list[Prompt]:
        if count is None:
            raise ValueError("unconditional samples need a number: set Generated.count")
        return [Prompt()] * count


@dataclass(frozen=True)
class Classes:
    """Classes of UCF-101, as labels and optionally as captions.

    histogram: the class frequencies, one of `HISTOGRAMS`.
    prompt_set: the captions, one of `PROMPTS`; None is labels only.
    exact: whether classes have exactly the histogram's proportions instead of being drawn: of N
      samples a class of frequency p gets floor(N p) or one more, largest remainders first.
    seed: seed of the draw.
    """

    histogram: str = "train"
    prompt_set: str | None = None
    exact: bool = False
    seed: int = 0

    @property
    def needs_real(self) -> bool:
        return False

    def __post_init__(self):
        if self.histogram not in HISTOGRAMS:
            raise ValueError(
                f"Classes.histogram is {self.histogram!r}, not one of {', '.join(HISTOGRAMS)}"
            )
        if self.prompt_set is not None and self.prompt_set not in PROMPTS:
            raise ValueError(
                f"Classes.prompt_set is {self.prompt_set!r}, not one of {', '.join(PROMPTS)}"
            )

    def make_prompts(self, count: int | None, real: Sequence[VideoInfo] = ()) -> list[Prompt]:
        classes = ucf101_classes()
        weights = np.array([c.count(self.histogram) for c in classes])
        count = int(weights.sum()) if count is None else count
        if self.exact:
            labels = np.repeat(np.arange(len(classes)), apportion(weights, count))
        else:
            rng = np.random.default_rng(self.seed)
            labels = rng.choice(len(classes), size=count, p=weights / weights.sum())
        captions = ["" if self.prompt_set is None else c.prompt(self.prompt_set) for c in classes]
        return [Prompt(captions[label], int(label)) for label in labels]


@dataclass(frozen=True)
class RealCaptions:
    """Captions of the real videos, in the order of the videos' keys.

    each: the captions of a video: "every" one, the "first", or "one" at random.
    seed: seed of the random choice.
    """

    each: Literal["every", "first", "one"] = "one"
    seed: int = 0

    @property
    def needs_real(self) -> bool:
        return True

    def make_prompts(self, count: int | None, real: Sequence[VideoInfo]) -> list[Prompt]:
        missing = [video.key for video in real if not video.captions]
        if missing:
            raise ValueError(
                f"{len(missing)} of {len(real)} real videos have no caption, the first is "
                f"{missing[0]}: put a .txt of the same name next to each, or give a table with the "
                "columns file,caption with --captions"
            )
        prompts: list[Prompt] = []
        for index, video in enumerate(real):
            label = -1 if video.label is None else video.label
            captions = video.captions
            if self.each == "first":
                captions = captions[:1]
            elif self.each == "one":  # seeded per video, independently of the number of captions
                choice = np.random.default_rng((self.seed, index)).integers(len(captions))
                captions = (captions[int(choice)],)
            prompts += [Prompt(caption, label, video.key) for caption in captions]
        return prompts if count is None else prompts[:count]


@dataclass(frozen=True)
class RealLabels:
    """The label and the first caption of each real video, cycling up to the count.

    For samples that belong to a real clip: prediction, reconstruction, super-resolution.
    """

    @property
    def needs_real(self) -> bool:
        return True

    def make_prompts(self, count: int | None, real: Sequence[VideoInfo]) -> list[Prompt]:
        prompts = [
            Prompt(next(iter(v.captions), ""), -1 if v.label is None else v.label, v.key)
            for v in real
        ]
        return prompts if count is None else [prompts[i % len(prompts)] for i in range(count)]


def apportion(weights: Sequence[int] | np.ndarray, count: int) -> np.ndarray:
    """`count` divided in proportion to integer weights, the largest remainders rounded up."""
    weights = np.asarray(weights, np.int64)
    counts, remainders = np.divmod(weights * count, weights.sum())
    largest = np.argsort(-remainders, kind="stable")[: count - int(counts.sum())]
    counts[largest] += 1
    return counts


def prompts_hash(prompts: Sequence[Prompt]) -> str:
    """SHA-256 of captions and labels in their order."""
    text = json.dumps([[prompt.caption, prompt.label] for prompt in prompts], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
