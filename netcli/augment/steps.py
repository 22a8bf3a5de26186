"""What a step of a transform is: one change of an image of bytes, by draws of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from netcli.arrays.layout import Shape
from netcli.errors import NetcliError

BLOCK = 4  # random words that are drawn at a time


class Step(NamedTuple):
    """A change of an image (C, H, W) of bytes into another.

    name      what its draws are for, beside the layer's
    blocks    of random words for each record
    apply     (image, words): the new image, of any strides; the old one is not written to
    describe  (words, shape): what is done, in a few words; "" for nothing
    shape     (shape, words): of the new image; words None: the least that may come.  Raises ShapeError.  None: the same
    reducible (words, height, width): how many times smaller an image of that size may be and still have a pixel for
              each of the result; None: it must be whole
    rows      (words, height, width): how many rows of an image of that size are looked at; None: all
    """

    name: str
    blocks: int
    apply: Callable[[Any, Any], Any]
    describe: Callable[[Any, Shape], str]
    shape: Callable[[Shape, Any], Shape] | None = None
    reducible: Callable[[Any, int, int], float] | None = None
    rows: Callable[[Any, int, int], int] | None = None


def check_bounds(param: Any, field: str, **bounds: tuple[float, float]) -> None:
    """Raise NetcliError unless each number of a message, which is at `field`, is within (least, greatest)."""
    for name, (least, greatest) in bounds.items():
        value = getattr(param, name)
        if not least <= value <= greatest:  # what is not a number is not
            raise NetcliError(f"{name} {value:g} must be in {least:g} .. {greatest:g}", field=f"{field}.{name}")


def check_order(param: Any, field: str, low: str, high: str, least: float, greatest: float = math.inf) -> None:
    """Raise NetcliError unless two numbers of a message, which is at `field`, are least <= low <= high <= greatest."""
    first, second = getattr(param, low), getattr(param, high)
    if not least <= first <= second <= greatest:
        bound = "" if greatest == math.inf else f", that at most {greatest:g}"
        raise NetcliError(
            f"{low} {first:g} must be at least {least:g} and at most {high} {second:g}{bound}", field=f"{field}.{low}"
        )
