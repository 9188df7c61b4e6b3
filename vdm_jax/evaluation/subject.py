"""What an evaluation sees of a trained model, and what the training loop sees of an evaluation."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from jaxtyping import UInt8

from vdm_jax import diffusion
from vdm_jax.data import Element, Source
from vdm_jax.types import Denoiser, Key

Clips = UInt8[np.ndarray, "b f h w c"]
Results = Mapping[str, float | Mapping[str, float]]
"""Numbers by name, at most one group deep: one evaluation's entry in `evaluations.jsonl`."""


class Model(Protocol):
    """A trained model, its process and its data, with the parameters closed over."""

    @property
    def process(self) -> diffusion.Process: ...

    @property
    def data(self) -> Source:
        """What the model was trained on."""
        ...

    def encode(self, captions: Sequence[str], labels: Sequence[int]) -> Any:
        """The model's conditioning for these clips; evaluations only pass it on."""
        ...

    def denoiser(self, cond: Any) -> Denoiser:
        """E[x | z_t] by the averaged parameters, without guidance.

        A `jax.tree_util.Partial` keeps parameters as arguments of the programs evaluations
        compile; in those of any other callable they become constants.
        """
        ...

    def generate(self, key: Key, cond: Any, count: int) -> Clips:
        """`count` clips as the experiment samples them: guided, quantised, in its own batches."""
        ...


class CompletionModel(Model, Protocol):
    """A subject that also makes the rest of what is known of a clip."""

    def complete(
        self,
        key: Key,
        cond: Any,
        known: diffusion.KnownPixels,
        /,
        *,
        correction: diffusion.Correction | None,
        known_noise: diffusion.KnownNoise,
    ) -> Clips:
        """Clips whose known frames are those of `known`; no `correction` is replacement."""
        ...

    def extend(
        self,
        key: Key,
        cond: Any,
        video: Clips,
        frames: int,
        overlap: int,
        /,
        *,
        correction: diffusion.Correction | None,
        known_noise: diffusion.KnownNoise,
    ) -> Clips:
        """Clips continued to `frames` frames, by blocks that look at `overlap` frames."""
        ...


class Evaluation(Protocol):
    """A frozen dataclass that turns a subject into numbers."""

    @property
    def every(self) -> int | None:
        """Training steps between two evaluations; None: only at the end."""
        ...

    @property
    def name(self) -> str:
        """The group of these numbers in `evaluations.jsonl`."""
        ...

    def __call__(self, key: Key, subject: Model) -> Results: ...


def evenly_spaced(source: Source, split: str, count: int) -> list[Element]:
    """`count` elements of a split, evenly spaced over it, so that sorted data are covered too.

    Raises ValueError if the split holds fewer.
    """
    clips = source.clips(split)
    if len(clips) < count:
        raise ValueError(
            f"the {split} split of {type(source).__name__} holds {len(clips)} clips, but the "
            f"evaluation asks for {count}: ask for fewer"
        )
    return [clips[i * len(clips) // count] for i in range(count)]


def up_to(source: Source, split: str, count: int) -> list[Element]:
    """`count` elements of a split, or all that a small data set has."""
    return evenly_spaced(source, split, min(count, len(source.clips(split))))


def labels(chosen: Sequence[Element]) -> list[int]:
    """The labels of these elements, 0 where the source knows none."""
    return [int(element.get("label", 0)) for element in chosen]


def encode(subject: Model, chosen: Sequence[Element]) -> Any:
    """The subject's conditioning for these elements' captions and labels.

    Where the source knows none, the caption is empty and the label 0: a model of such data has
    no use for them.
    """
    captions = [element.get("caption", "") for element in chosen]
    return subject.encode(captions, labels(chosen))
