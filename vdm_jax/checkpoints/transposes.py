"""Copies between arrays with different memory orders, in blocks of a cache line.

numpy copies such arrays element by element along the contiguous axis of one of the two, and so
touches a new cache line of the other for every element: four times slower.
"""

import math

import numpy as np

CACHE_LINE = 64  # bytes


def copy_into(to: np.ndarray, array: np.ndarray) -> None:
    """`to[...] = array`, converted to the type of `to`."""
    array = array.astype(to.dtype, copy=False)
    bits = f"u{to.dtype.itemsize}"
    if to.dtype.itemsize in (1, 2, 4, 8):  # numpy copies the types of ml_dtypes slowly
        to, array = to.view(bits), array.view(bits)
    axis = _contiguous_axis(to)
    if axis is None or axis == _contiguous_axis(array):
        to[...] = array
        return
    to, array = np.moveaxis(to, axis, 0), np.moveaxis(array, axis, 0)
    step = max(1, CACHE_LINE // to.itemsize)
    for start in range(0, len(to), step):
        to[start : start + step] = array[start : start + step]


def empty_aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An uninitialized array that starts at a cache line: a CPU device takes it without a copy."""
    count = math.prod(shape) * dtype.itemsize
    memory = np.empty(count + CACHE_LINE, np.uint8)
    begin = -memory.ctypes.data % CACHE_LINE
    return memory[begin : begin + count].view(dtype).reshape(shape)


def as_contiguous(array: np.ndarray) -> np.ndarray:
    """The array in C order; itself if it is."""
    if array.flags.c_contiguous:
        return array
    copy = np.empty(array.shape, array.dtype)
    copy_into(copy, array)
    return copy


def _contiguous_axis(array: np.ndarray) -> int | None:
    """The axis with the smallest stride."""
    steps = [(abs(s), -axis) for axis, s in enumerate(array.strides) if array.shape[axis] > 1]
    return -min(steps)[1] if steps else None
