"""Labels and indices: numbers in a float blob that must be whole and name one of so many things."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from netcli.arrays.device import CPU
from netcli.arrays.layout import Shape, count_of
from netcli.blob import Blob
from netcli.errors import DataError, ShapeError
from netcli.layers.base import Layer

COMPARED = 1 << 26  # comparisons at a time in `counts`, each a byte


def label_shape(layer: Layer, bottom: Sequence[Blob], axis: int) -> Shape:
    """The shape of bottom 0 with 1 at `axis`, the classes; raises ShapeError unless bottom 1 has as many labels."""
    scores, labels = bottom[:2]
    shape = (*scores.shape[:axis], 1, *scores.shape[axis + 1 :])
    if labels.count != count_of(shape):
        raise ShapeError(
            f"bottom {layer.named(0, scores.shape)} with classes along axis {axis} takes {count_of(shape)} labels, "
            f"{layer.named(1, labels.shape)} has {labels.count}",
            field="bottom",
        )
    return shape


def one_label_each(layer: Layer, bottom: Sequence[Blob]) -> None:
    """Raise ShapeError unless bottom 1 has one label for each image of bottom 0."""
    images, labels = bottom[0].shape, bottom[1].shape
    if labels[:1] != images[:1] or count_of(labels[1:]) != 1:
        raise ShapeError(
            f"takes one label for each image of bottom {layer.named(0, images)}, got {layer.named(1, labels)}",
            field="bottom",
        )


def whole_numbers(
    layer: Layer, values: Any, limit: int, of: str, *, what: str = "label", ignore: int | None = None
) -> tuple[Any, Any]:
    """(index, ignored): the values as indices 0 .. limit-1, and a mask of those equal to `ignore`.

    values   floats, any shape
    of, what what they point into and what they are, for the message
    index    intp, shape of values; some index where ignored
    ignored  bool, shape of values; None where nothing is ignored

    Raises DataError with the first value that is not a whole number in 0 .. limit-1; on a card that comes later (Note
    [Doubts] in doubts.py).  Caffe cuts fractions off and reads beyond the array instead.
    """
    refusal = partial(_refusal, limit=limit, of=of, what=what)
    doubt = layer.context.doubts.of(layer, values.shape, limit, ignore, refusal)
    found: tuple[Any, Any] = doubt.plan.forward(values)
    if layer.context.device is CPU:
        doubt.look()
    return found


def _refusal(shape: Shape, place: Shape, value: float, *, limit: int, of: str, what: str) -> DataError:
    # (3, 0, 0) of a (64, 1, 1) blob is item 3.
    item = str(place[0]) if place and count_of(shape[1:]) == 1 else str(place)
    if value.is_integer():
        return DataError(f"{what} {int(value)} at item {item} is not in 0..{limit - 1} of {of}")
    return DataError(f"{what} {value:g} at item {item} is not a whole number in 0..{limit - 1} of {of}")


def picks(shape: Shape, axis: int, index: Any, xp: Any = np) -> tuple[Any, ...]:
    """The subscript of one item along `axis` for each place off it.

    index: intp, `shape` with 1 at `axis`; x[picks(...)] has its shape, whatever the strides of x.
    """
    grid = xp.ogrid[tuple(slice(size) for size in shape)]
    return (*grid[:axis], index, *grid[axis + 1 :])


def image_picks(shape: Shape, index: Any, xp: Any = np) -> tuple[Any, ...]:
    """The subscript of one item for each image of `shape` (N, ...); index: (N,) intp, in Caffe's order of its items."""
    within = []
    for size in reversed(shape[1:]):
        within.append(index % size)
        index = index // size
    return (xp.arange(shape[0]), *reversed(within))


def counts(layer: Layer, index: Any, mask: Any, limit: int) -> Any:
    """(limit,): how often each of 0 .. limit-1 is in `index` where `mask`, of the same shape, says so."""
    xp = layer.xp
    if layer.context.device is CPU:
        return xp.bincount(index[mask], minlength=limit)
    # CuPy's would wait for the card.  Some numbers at a time, since each is compared with all of the index.
    index, mask = index.reshape(-1), mask.reshape(-1)
    step = max(1, COMPARED // max(1, index.size))
    parts = [xp.arange(first, min(first + step, limit))[:, None] for first in range(0, limit, step)]
    return xp.concatenate([((index == part) & mask).sum(axis=1) for part in parts])
