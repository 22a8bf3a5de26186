"""How a logical shape lies in memory.

Note [Channels last]: a 4-D activation has the logical shape (N, C, H, W) and the strides of
(N, H, W, C): the order cuDNN likes best and oneDNN within a few per cent.  Every other rank, and
every parameter, is C-contiguous; so is what a user's Python layer reads or writes.  Code above this
floor sees ordinary arrays and needs no case for either; only a reshape that crosses the two orders
has to copy (`same_order` tells).
"""

from __future__ import annotations

from typing import Any

Shape = tuple[int, ...]


def count_of(shape: Shape) -> int:
    """Items in an array of this shape; 1 for a scalar."""
    count = 1
    for size in shape:
        count *= size
    return count


def size_text(shape: Shape) -> str:
    """A shape as sizes are written: `3x256x256`."""
    return "x".join(str(size) for size in shape)


def view(flat: Any, shape: Shape, channels_last: bool) -> Any:
    """The first items of a flat array as an array of `shape`, in the order the note names."""
    items = flat[: count_of(shape)]
    if channels_last and len(shape) == 4:
        n, c, h, w = shape
        return items.reshape(n, h, w, c).transpose(0, 3, 1, 2)
    return items.reshape(shape)


def in_memory_order(activation: Any) -> Any:
    """An activation's items as one axis, in the order in which they lie: the inverse of `view`, without a copy."""
    if activation.ndim == 4 and not activation.flags.c_contiguous:
        activation = activation.transpose(0, 2, 3, 1)
    return activation.reshape(-1)


def same_order(a: Shape, b: Shape) -> bool:
    """Whether the same memory read as activation `a` and as activation `b` gives the same items in Caffe's order."""

    def is_plain(shape: Shape) -> bool:  # channels-last memory that is also C-contiguous
        return len(shape) != 4 or shape[1] == 1 or shape[2] * shape[3] == 1

    return a == b or (is_plain(a) and is_plain(b) and count_of(a) == count_of(b))
