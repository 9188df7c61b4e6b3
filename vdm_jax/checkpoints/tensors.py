"""Lazy mappings from names to arrays: the common interface of all weights files.

A checkpoint may be larger than memory. Names, shapes and types are available at once; an array is
read on access.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

import ml_dtypes
import numpy as np

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)

Piece = tuple[Any, np.ndarray]
"""An index into an array and the part there, valid until the next piece is read."""


@runtime_checkable
class Tensors(Protocol):
    """A mapping from names to arrays whose shapes and types are available without reading."""

    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, name: str, /) -> np.ndarray: ...

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array."""
        ...

    def dtype(self, name: str) -> np.dtype:
        """The type of an array's elements."""
        ...


@runtime_checkable
class PiecewiseTensors(Tensors, Protocol):
    """Tensors that can be read in pieces."""

    def pieces(self, name: str) -> Iterator[Piece]:
        """The pieces of an array, which together cover it."""
        ...


class InMemoryTensors(dict[str, np.ndarray]):
    """Arrays in memory."""

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array."""
        return self[name].shape

    def dtype(self, name: str) -> np.dtype:
        """The type of an array's elements."""
        return self[name].dtype

    def pieces(self, name: str) -> Iterator[Piece]:
        """The whole array as one piece."""
        yield ..., self[name]


class CastTensors(Mapping[str, np.ndarray]):
    """Other tensors with every floating type replaced by `dtype`."""

    def __init__(self, tensors: Tensors, dtype: np.dtype):
        self._tensors, self._dtype = tensors, dtype

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._tensors[name].astype(self.dtype(name), copy=False)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array."""
        return self._tensors.shape(name)

    def dtype(self, name: str) -> np.dtype:
        """The type of an array's elements."""
        old = self._tensors.dtype(name)
        return self._dtype if is_floating(old) else old


def is_floating(dtype: np.dtype) -> bool:
    """Whether elements are real floating-point numbers, bfloat16 included."""
    return dtype.kind == "f" or dtype == BFLOAT16


def element_count(shape: tuple[int, ...]) -> int:
    """The number of elements, as a Python integer, which cannot overflow."""
    count = 1
    for side in shape:
        count *= side
    return count


def nbytes(tensors: Tensors, name: str) -> int:
    """The size of an array in bytes."""
    return element_count(tensors.shape(name)) * tensors.dtype(name).itemsize


def one_line(error: object, limit: int = 200) -> str:
    """The message of an error on one line of at most `limit` characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= limit else text[: limit - 3] + "..."
