"""Arrays by name that are read when they are asked for: what every kind of weights file looks like.

A checkpoint may be larger than memory. Names, shapes and types are known at once; an array is
there only while somebody holds it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import ml_dtypes
import numpy as np

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)

Piece = tuple[Any, np.ndarray]
"""Where a part of an array is in it, as an index, and that part, valid until the next is read."""


class Tensors(Protocol):
    """A mapping from names to arrays whose shapes and types are known without reading."""

    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, name: str, /) -> np.ndarray: ...
    def shape(self, name: str) -> tuple[int, ...]: ...
    def dtype(self, name: str) -> np.dtype: ...


class Held(dict[str, np.ndarray]):
    """Arrays in memory."""

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array."""
        return self[name].shape

    def dtype(self, name: str) -> np.dtype:
        """The type of an array's elements."""
        return self[name].dtype

    def pieces(self, name: str) -> Iterator[Piece]:
        """An array at once."""
        yield ..., self[name]


class Cast(Mapping[str, np.ndarray]):
    """The same arrays with every floating type replaced by one."""

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
        return self._dtype if floating(old) else old


def floating(dtype: np.dtype) -> bool:
    """Whether elements are real numbers, those of machine learning's own types included."""
    return dtype.kind == "f" or dtype == BFLOAT16


def size(shape: tuple[int, ...]) -> int:
    """The number of elements, as an integer that cannot overflow."""
    count = 1
    for side in shape:
        count *= side
    return count


def nbytes(tensors: Tensors, name: str) -> int:
    """The bytes that an array takes."""
    return size(tensors.shape(name)) * tensors.dtype(name).itemsize


def one_line(error: object, limit: int = 200) -> str:
    """What an error says, on one line and not too long: files that lie may also shout."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= limit else text[: limit - 3] + "..."
