"""Memory that shows who reads or writes outside it."""

import weakref

import numpy as np

FENCE = 256  # bytes on either side
_whole = weakref.WeakValueDictionary()  # by their numbers, the bytes of all memory with its fences


def memory(count, dtype):
    """All of it, and what lies beside it, is NaN, or -1: what nobody wrote shows where it is read."""
    size = count * np.dtype(dtype).itemsize
    whole = np.full(size + 2 * FENCE, 0xFF, np.uint8)
    _whole[id(whole)] = whole
    return whole[FENCE : FENCE + size].view(dtype)


def copy(array):
    """Of an array, its axes in the order in which they lie."""
    array = np.asarray(array)
    order = np.argsort([-step for step in array.strides], kind="stable")
    there = memory(array.size, array.dtype).reshape([array.shape[axis] for axis in order])
    there = there.transpose(np.argsort(order))
    there[...] = array
    return there


def is_whole(array):
    """Whether nobody wrote beside the memory that an array is a view of."""
    whole = _whole.get(id(array.base))
    return whole is None or bool((whole[:FENCE] == 0xFF).all() and (whole[-FENCE:] == 0xFF).all())
