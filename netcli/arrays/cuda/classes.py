"""How classes along an axis lie in an array's memory."""

from __future__ import annotations

from netcli.arrays.layout import Shape, count_of


def around(shape: Shape, axis: int) -> tuple[int, int, int]:
    """Sizes (outer, classes, inner) of the memory, channels-last of 4-D arrays."""
    order = (0, 2, 3, 1) if len(shape) == 4 else range(len(shape))
    place = list(order).index(axis)
    sizes = tuple(shape[each] for each in order)
    return count_of(sizes[:place]), sizes[place], count_of(sizes[place + 1 :])
