"""Steps that give an image another size before it is cut out.

- resize_param (SSD): brought to height x width.
- min_side (MobileNet-YOLO): its short side brought to this length, the long one in proportion.
- random_resize_param (Intel Caffe): the same, by a length between min_size and max_size.
- random_aspect_ratio_param (Intel Caffe; Szegedy et al., "Going Deeper with Convolutions", 2014): a part of it, of
  random area, shape and place, brought to one size.
- pad (Intel Caffe): a black border.

Pixels are mixed as OpenCV's INTER_LINEAR does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from netcli.arrays import random
from netcli.arrays.layout import Shape
from netcli.arrays.resize import proportional, resize
from netcli.augment.draws import uniform
from netcli.augment.steps import BLOCK, Step
from netcli.errors import ShapeError

LINEAR = "LINEAR"


def size_steps(param: Any, crop: tuple[int, int], train: bool) -> Iterator[Step]:
    """Those that a TransformationParameter asks for, in their order; crop: (height, width), or (0, 0).

    Random ones are of training; in testing a middle of them takes their place.
    """
    if param.HasField("resize_param"):
        yield _fixed(param.resize_param)
    if param.min_side:
        yield _short_side(param.min_side, param.min_side, "min_side")
    if param.HasField("random_resize_param"):
        given = param.random_resize_param
        _only_linear(given.resize_param, "random_resize_param.resize_param")
        if not 0 < given.min_size <= given.max_size:
            raise ShapeError(
                f"min_size {given.min_size} must be above 0 and at most max_size {given.max_size}",
                field="transform_param.random_resize_param.min_size",
            )
        middle = (given.min_size + given.max_size) // 2
        low, high = (given.min_size, given.max_size) if train else (middle, middle)
        yield _short_side(low, high, "random_resize_param")
    if param.HasField("random_aspect_ratio_param"):
        yield _part(param.random_aspect_ratio_param, crop, train)


def _only_linear(param: Any, field: str) -> None:
    names = [type(param).Interp_mode.Name(mode) for mode in param.interp_mode]
    if any(name != LINEAR for name in names):
        raise ShapeError(
            f"interp_mode {', '.join(names)}: images are resized by LINEAR alone",
            field=f"transform_param.{field}.interp_mode",
        )


def _fixed(param: Any) -> Step:
    size = (param.height, param.width)
    field = "transform_param.resize_param"
    _only_linear(param, "resize_param")
    if param.resize_mode != param.WARP or param.prob != 1:
        raise ShapeError("resize_param is WARP with prob 1 here, no other", field=f"{field}.resize_mode")
    if min(size) < 1:
        raise ShapeError(f"resize_param needs height and width, not {size[0]} and {size[1]}", field=f"{field}.height")

    def apply(image: Any, _words: Any) -> Any:
        return resize(image, *size)

    def describe(_words: Any, _shape: Shape) -> str:
        return f"resized to {size[0]}x{size[1]}"

    return Step("resize_param", 0, apply, describe, lambda shape, _words: (shape[0], *size))


def _short_side(low: int, high: int, name: str) -> Step:
    def length(words: Any) -> int:
        return low if low == high else low + int(random.below(words[0], high - low + 1))

    def apply(image: Any, words: Any) -> Any:
        return resize(image, *proportional(image.shape, length(words)))

    def describe(words: Any, shape: Shape) -> str:
        size = proportional(shape, length(words))
        return f"resized to {size[0]}x{size[1]}"

    def reducible(words: Any, height: int, width: int) -> float:
        return min(height, width) / length(words)

    def shape_of(shape: Shape, words: Any) -> Shape:
        # By the smallest that may come: what is cut out must fit in each.
        return (shape[0], *proportional(shape, low if words is None else length(words)))

    return Step(name, int(low != high), apply, describe, shape_of, None if low == high else reducible)


def _part(param: Any, crop: tuple[int, int], train: bool) -> Step:
    field = "transform_param.random_aspect_ratio_param"
    _only_linear(param.resize_param, "random_aspect_ratio_param.resize_param")
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
        return resize(image, *size, (top, left, h, w))

    def describe(words: Any, shape: Shape) -> str:
        top, left, h, w = window(words, *shape[1:])
        return f"part {h}x{w} at {top},{left} resized to {size[0]}x{size[1]}"

    def reducible(words: Any, height: int, width: int) -> float:
        _, _, h, w = window(words, height, width)
        return min(h / size[0], w / size[1])

    blocks = attempts if train else 0
    return Step(
        "random_aspect_ratio_param", blocks, apply, describe, lambda shape, _words: (shape[0], *size), reducible
    )


def padded(image: Any, pad: int) -> Any:
    """With a black border."""
    return np.pad(image, ((0, 0), (pad, pad), (pad, pad)))
