"""Steps that spoil an image.

- erase_ratio (caffe-windows; Zhong et al., "Random Erasing Data Augmentation", 2017): a rectangle of random bytes.
- jpeg_param: stored as a JPEG and read again, with what that loses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import simplejpeg

from netcli.arrays import random
from netcli.arrays.layout import Shape
from netcli.augment.draws import happens, uniform
from netcli.augment.steps import BLOCK, Step, check_bounds, check_order
from netcli.errors import ShapeError

ATTEMPTS = 8  # to find a rectangle that fits into the image


def artefact_steps(param: Any) -> Iterator[Step]:
    """Those that a TransformationParameter asks for."""
    if param.HasField("jpeg_param"):
        yield _jpeg(param.jpeg_param)
    if param.erase_ratio:
        yield _erase(param)


def _jpeg(param: Any) -> Step:
    field = "transform_param.jpeg_param"
    check_order(param, field, "min_quality", "max_quality", 1, 100)
    check_bounds(param, field, prob=(0, 1))

    def quality(words: Any) -> int | None:
        if not happens(words[0], param.prob):
            return None
        least: int = param.min_quality
        return least + int(random.below(words[1], param.max_quality - least + 1))

    def apply(image: Any, words: Any) -> Any:
        drawn = quality(words)
        if drawn is None:
            return image
        space = "GRAY" if len(image) == 1 else "BGR"
        pixels = np.ascontiguousarray(image.transpose(1, 2, 0))
        coded = simplejpeg.encode_jpeg(pixels, quality=drawn, colorspace=space, colorsubsampling="420")
        return simplejpeg.decode_jpeg(coded, space).transpose(2, 0, 1)

    def describe(words: Any, _shape: Shape) -> str:
        drawn = quality(words)
        return "" if drawn is None else f"JPEG of quality {drawn}"

    def shape(image: Shape, _words: Any) -> Shape:
        if image[0] not in (1, 3):
            raise ShapeError(f"jpeg_param is for images of 1 or 3 channels, not of {image[0]}", field=field)
        return image

    return Step("jpeg_param", 1, apply, describe, shape)


def _erase(param: Any) -> Step:
    check_bounds(param, "transform_param", erase_ratio=(0, 1), scale_max=(0, 1))
    for name, least in (("scale", 0.0), ("aspect", 1e-3)):
        check_order(param, "transform_param", f"{name}_min", f"{name}_max", least)

    def rectangle(words: Any, height: int, width: int) -> tuple[slice, slice] | None:
        if not happens(words[0], param.erase_ratio):
            return None
        for attempt in range(1, ATTEMPTS + 1):
            area, aspect, top, left = words[BLOCK * attempt : BLOCK * (attempt + 1)]
            pixels = height * width * uniform(area, param.scale_min, param.scale_max)
            ratio = uniform(aspect, param.aspect_min, param.aspect_max)
            h, w = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
            if 0 < h <= height and 0 < w <= width:
                row, column = int(random.below(top, height - h + 1)), int(random.below(left, width - w + 1))
                return slice(row, row + h), slice(column, column + w)
        return None

    def apply(image: Any, words: Any) -> Any:
        found = rectangle(words, *image.shape[1:])
        if found is None:
            return image
        image = image.copy()
        rows, columns = found
        part = image[:, rows, columns]
        noise = np.random.Philox(key=words[1:3]).random_raw(-(-part.size // 8))
        part[...] = noise.astype("<u8").view(np.uint8)[: part.size].reshape(part.shape)
        return image

    def describe(words: Any, shape: Shape) -> str:
        found = rectangle(words, shape[1], shape[2])
        if found is None:
            return ""
        rows, columns = found
        size = f"{rows.stop - rows.start}x{columns.stop - columns.start}"
        return f"erased {size} at {rows.start},{columns.start}"

    return Step("erase_ratio", 1 + ATTEMPTS, apply, describe)
