"""How an array that lies along some axes of another looks from the memory of the other."""

from __future__ import annotations

from typing import NamedTuple

from netcli.arrays.layout import Shape, count_of
from netcli.arrays.unsupported import Unsupported


class Sizes(NamedTuple):
    """Of memory as (rows, channels, inner), where row r has the numbers from r // period * channels on."""

    channels: int
    inner: int
    period: int
    first: int
    rows: int


def sizes(shape: Shape, axis: int, end: int) -> Sizes:
    """For numbers of the shape `shape[axis:end]`; raises Unsupported where memory has them in another order."""
    count = count_of(shape)
    if axis == end:  # one number for all; images are the rows, so that there are parts
        rows = shape[0] if shape else 1
        return Sizes(1, count // rows, count, 0, rows)
    if len(shape) != 4 or count_of(shape[2:]) == 1 or (axis, end) == (0, 1):
        rows = count_of(shape[:axis])
        return Sizes(count_of(shape[axis:end]), count_of(shape[end:]), rows, 0, rows)
    if end == 2:  # channels-last: the channels, or those of each image
        images, channels, *size = shape
        pixels = count_of(tuple(size))
        return Sizes(channels, 1, pixels if axis == 0 else images * pixels, 0, images * pixels)
    raise Unsupported("numbers along other axes than the images' channels do not lie as channels-last memory does")


def side_by_side(shape: Shape, axis: int) -> None:
    """Raise Unsupported unless an item's classes, along `axis`, lie side by side in memory."""
    if axis != (1 if len(shape) == 4 else len(shape) - 1):
        raise Unsupported("the classes of an item do not lie side by side")
