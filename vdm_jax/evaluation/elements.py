"""Elements of a source for an evaluation, and the conditions made from them."""

from collections.abc import Sequence
from typing import Any

from vdm_jax.data import Element, Source
from vdm_jax.interfaces import Model


def evenly_spaced(source: Source, split: str, count: int) -> list[Element]:
    """`count` elements of a split, evenly spaced so that they cover sorted data.

    Raises:
      ValueError: the split has fewer elements.
    """
    clips = source.clips(split)
    if len(clips) < count:
        raise ValueError(
            f"the {split} split of {type(source).__name__} has {len(clips)} clips and the "
            f"evaluation needs {count}: evaluate fewer clips"
        )
    return [clips[i * len(clips) // count] for i in range(count)]


def up_to(source: Source, split: str, count: int) -> list[Element]:
    """`count` elements of a split, evenly spaced, or all if there are fewer."""
    return evenly_spaced(source, split, min(count, len(source.clips(split))))


def labels(chosen: Sequence[Element]) -> list[int]:
    """The labels of these elements, 0 for elements without one."""
    return [int(element.get("label", 0)) for element in chosen]


def encode(model: Model, chosen: Sequence[Element]) -> Any:
    """The model's conditions for these elements; a missing caption is "", a missing label 0."""
    captions = [element.get("caption", "") for element in chosen]
    return model.encode(captions, labels(chosen))
