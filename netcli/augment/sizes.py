"""Steps that give an image another size before it is cut out.

- resize_param (SSD): brought to height x width.
- min_side (MobileNet-YOLO): its short side brought to this length, the long one in proportion.
- random_resize_param (Intel Caffe): the same, by a length between min_size and max_size.
- random_aspect_ratio_param (Intel Caffe; Szegedy et al., "Going Deeper with Convolutions", 2014): a part of it, of
  random area, shape and place, brought to one size.
- pad (Intel Caffe): a black border.

Pixels are mixed as OpenCV's INTER_LINEAR does, or as resize_param.interp_mode says: of several ways one is drawn for
each record, and the first is that of testing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from netcli.arrays import random
from netcli.arrays.interpolation import INTERPOLATIONS, LINEAR
from netcli.arrays.layout import Shape
from netcli.arrays.resize import proportional, resize
from netcli.augment.draws import uniform
from netcli.augment.steps import BLOCK, Step
from netcli.errors import ShapeError


class Ways(NamedTuple):
    """Of interpolation, among INTERPOLATIONS; blocks: of random words, behind a step's others, that choose one."""

    names: tuple[str, ...]
    blocks: int

    def __call__(self, words: Any) -> str:
        """The one for a record."""
        return self.names[int(random.below(words[-1], len(self.names))) if self.blocks else 0]

    def in_words(self, words: Any) -> str:
        """` by area`; "" for linear"""
        return "" if self(words) == LINEAR else f" by {self(words)}"

    @property
    def linear(self) -> bool:
        """Whether that is all there is: then an image may as well be decoded smaller, which takes means."""
        return self.names == (LINEAR,)


def size_steps(param: Any, crop: tuple[int, int], train: bool) -> Iterator[Step]:
    """Those that a TransformationParameter asks for, in their order; crop: (height, width), or (0, 0).

    Random ones are of training; in testing a middle of them takes their place.
    """
    if param.HasField("resize_param"):
        yield _fixed(param.resize_param, train)
    if param.min_side:
        yield _short_side(param.min_side, param.min_side, "min_side", Ways((LINEAR,), 0))
    if param.HasField("random_resize_param"):
        given = param.random_resize_param
        ways = _ways(given.resize_param, "random_resize_param.resize_param", train)
        if not 0 < given.min_size <= given.max_size:
            raise ShapeError(
                f"min_size {given.min_size} must be above 0 and at most max_size {given.max_size}",
                field="transform_param.random_resize_param.min_size",
            )
        middle = (given.min_size + given.max_size) // 2
        low, high = (given.min_size, given.max_size) if train else (middle, middle)
        yield _short_side(low, high, "random_resize_param", ways)
    if param.HasField("random_aspect_ratio_param"):
        yield _part(param.random_aspect_ratio_param, crop, train)


def _ways(param: Any, field: str, train: bool) -> Ways:
    """Those of a ResizeParameter at `field`."""
    names = [type(param).Interp_mode.Name(mode) for mode in param.interp_mode] or [LINEAR]
    for name in names:
        if name.lower() not in INTERPOLATIONS:
            raise ShapeError(
                f"interp_mode {name}: images are resized by {', '.join(INTERPOLATIONS).upper()} alone",
                field=f"transform_param.{field}.interp_mode",
            )
    return Ways(tuple(map(str.lower, names if train else names[:1])), int(train and len(names) > 1))


def _fixed(param: Any, train: bool) -> Step:
    size = (param.height, param.width)
    field = "transform_param.resize_param"
    ways = _ways(param, "resize_param", train)
    if param.resize_mode != param.WARP or param.prob != 1:
        raise ShapeError("resize_param is WARP with prob 1 here, no other", field=f"{field}.resize_mode")
    if min(size) < 1:
        raise ShapeError(f"resize_param needs height and width, not {size[0]} and {size[1]}", field=f"{field}.height")

    def apply(image: Any, words: Any) -> Any:
        return resize(image, *size, interpolation=ways(words))

    def describe(words: Any, _shape: Shape) -> str:
        return f"resized to {size[0]}x{size[1]}{ways.in_words(words)}"

    return Step("resize_param", ways.blocks, apply, describe, lambda shape, _words: (shape[0], *size))


def _short_side(low: int, high: int, name: str, ways: Ways) -> Step:
    def length(words: Any) -> int:
        return low if low == high else low + int(random.below(words[0], high - low + 1))

    def apply(image: Any, words: Any) -> Any:
        return resize(image, *proportional(image.shape, length(words)), interpolation=ways(words))

    def describe(words: Any, shape: Shape) -> str:
        size = proportional(shape, length(words))
        return f"resized to {size[0]}x{size[1]}{ways.in_words(words)}"

    def reducible(words: Any, height: int, width: int) -> float:
        return min(height, width) / length(words)

    def shape_of(shape: Shape, words: Any) -> Shape:
        # By the smallest that may come: what is cut out must fit in each.
        return (shape[0], *proportional(shape, low if words is None else length(words)))

    blocks = int(low != high) + ways.blocks
    return Step(name, blocks, apply, describe, shape_of, reducible if low != high and ways.linear else None)


def _part(param: Any, crop: tuple[int, int], train: bool) -> Step:
    field = "transform_param.random_aspect_ratio_param"
    ways = _ways(param.resize_param, "random_aspect_ratio_param.resize_param", train)
    size = (param.resize_param.height or crop[0], param.resize_param.width or crop[1])
    if min(size) < 1:
        raise ShapeError(
            "random_aspect_ratio_param needs a size: that of its resize_param, or crop_size",
            field=f"{field}.resize_param",
        )
    if not 0 < param.min_area_ratio <= param.max_area_ratio <= 1:
        raise ShapeError(
            f"areas from {param.min_area_ratio:g} to {param.max_area_ratio:g} are no fractions of an image",
            field=f"{field}.min_area_ratio",
        )
    if not 0 < param.aspect_ratio_change <= 1:
        raise ShapeError(
            f"aspect_ratio_change {param.aspect_ratio_change:g} must be above 0 and at most 1",
            field=f"{field}.aspect_ratio_change",
        )
    attempts = min(param.max_attempt, 16)
    least_log = math.log(param.aspect_ratio_change)

    def window(words: Any, height: int, width: int) -> tuple[int, int, int, int]:
        """(top, left, height, width) in the image."""
        for attempt in range(attempts if train else 0):
            area, aspect, top, left = words[BLOCK * attempt : BLOCK * (attempt + 1)]
            pixels = height * width * uniform(area, param.min_area_ratio, param.max_area_ratio)
            ratio = math.exp(uniform(aspect, least_log, -least_log))
            h, w = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
            if 0 < h <= height and 0 < w <= width:
                return int(random.below(top, height - h + 1)), int(random.below(left, width - w + 1)), h, w
        # The largest middle of the shape that is wanted.
        scale = min(height / size[0], width / size[1])
        h, w = max(1, int(size[0] * scale)), max(1, int(size[1] * scale))
        return (height - h) // 2, (width - w) // 2, h, w

    def apply(image: Any, words: Any) -> Any:
        top, left, h, w = window(words, *image.shape[1:])
        return resize(image, *size, (top, left, h, w), ways(words))

    def describe(words: Any, shape: Shape) -> str:
        top, left, h, w = window(words, *shape[1:])
        return f"part {h}x{w} at {top},{left} resized to {size[0]}x{size[1]}{ways.in_words(words)}"

    def reducible(words: Any, height: int, width: int) -> float:
        _, _, h, w = window(words, height, width)
        return min(h / size[0], w / size[1])

    def rows(words: Any, height: int, width: int) -> int:
        top, _, h, _ = window(words, height, width)
        return top + h

    return Step(
        "random_aspect_ratio_param",
        (attempts if train else 0) + ways.blocks,
        apply,
        describe,
        lambda shape, _words: (shape[0], *size),
        reducible if ways.linear else None,
        rows,
    )


def padded(image: Any, pad: int) -> Any:
    """With a black border."""
    return np.pad(image, ((0, 0), (pad, pad), (pad, pad)))
