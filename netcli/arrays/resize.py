"""Bilinear resizing to the same values as OpenCV's INTER_LINEAR.

Pixel centres are at half coordinates, the two nearest pixels along each axis are mixed whatever the reduction
(there is no antialiasing), and pixels outside repeat the border.  Weights have 11 bits and sums are rounded
as in OpenCV's fixed-point code for 8-bit images (imgproc/src/resize.cpp), so databases made by Caffe's
convert_imageset and by netcli hold the same pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from netcli.arrays.compiled import compiler
from netcli.arrays.interpolation import LINEAR, resample
from netcli.arrays.layout import Shape
from netcli.arrays.once import once
from netcli.arrays.unsupported import Unsupported

WEIGHT_BITS = 11


Window = tuple[int, int, int, int]  # top, left, height, width


def resize(image: Any, height: int, width: int, window: Window | None = None, interpolation: str = LINEAR) -> Any:
    """(C, H, W) uint8 in any strides, or a window of it, to (C, height, width) uint8, which lies in pixels.

    interpolation: of INTERPOLATIONS; the others are `interpolation.py`'s
    """
    top, left, *size = window or (0, 0, *image.shape[1:])
    if (height, width) == tuple(size):
        return image if window is None else image[:, top : top + height, left : left + width]
    if interpolation != LINEAR:
        return resample(image[:, top : top + size[0], left : left + size[1]], height, width, interpolation)
    run = _compiled()
    if run is None:
        return resize_by_numpy(image[:, top : top + size[0], left : left + size[1]], height, width)
    return _by_kernel(run, image, height, width, (top, left, *size))


def proportional(image: Shape, short: int) -> tuple[int, int]:
    """Height and width of an image (C, H, W) with its short side brought to a length, the long one in proportion."""
    height, width = image[1:]
    least = min(height, width)
    return max(1, round(height * short / least)), max(1, round(width * short / least))


@once
def _compiled() -> Callable[..., None] | None:
    try:
        return compiler.kernel("resize", "resize")
    except Unsupported:
        return None


def _by_kernel(run: Callable[..., None], image: Any, height: int, width: int, window: Window) -> Any:
    channels = image.shape[0]
    if min(image.strides) < 0 or not (image.flags.c_contiguous or image.transpose(1, 2, 0).flags.c_contiguous):
        image = np.ascontiguousarray(image)
    planes = image.flags.c_contiguous
    source = (image if planes else image.transpose(1, 2, 0)).reshape(-1)
    top, bottom, v = _taps(window[2], height)
    left, right, u = _taps(window[3], width)
    rows, columns = (top + window[0], bottom + window[0]), (left + window[1], right + window[1])
    out = np.empty((height, width, channels), np.uint8)
    run(source, planes, *image.shape, *rows, *v, *columns, *u, out.reshape(-1))
    return out.transpose(2, 0, 1)


def resize_by_numpy(image: Any, height: int, width: int) -> Any:
    """The definition, and what serves without numba."""
    channels = image.shape[0]
    top, bottom, v = _taps(image.shape[1], height)
    left, right, u = _taps(image.shape[2], width)
    # Horizontally first, and only the rows that are used; a row is (W * C) numbers, a pixel's channels side by side.
    used, at = np.unique(np.concatenate([top, bottom]), return_inverse=True)
    rows = np.ascontiguousarray(image.transpose(1, 2, 0)[used]).reshape(len(used), -1)
    mixed = rows.take(_of_pixels(left, channels), axis=1) * u[0].repeat(channels)  # 8 + 11 bits
    mixed += rows.take(_of_pixels(right, channels), axis=1) * u[1].repeat(channels)
    mixed >>= 4  # OpenCV keeps 15 bits before the vertical weights ...
    upper = mixed.take(at[:height], axis=0) * v[0][:, None]
    upper >>= 16
    lower = mixed.take(at[height:], axis=0) * v[1][:, None]
    lower >>= 16
    upper += lower
    upper += 2  # ... and 10 after them, of which the last 2 round.
    upper >>= 2
    return upper.astype(np.uint8).reshape(height, width, channels).transpose(2, 0, 1)


def _of_pixels(columns: Any, channels: int) -> Any:
    """Where in a row the channels of these columns stand."""
    return (columns[:, None] * channels + np.arange(channels)).ravel()


def _taps(size: int, wanted: int) -> tuple[Any, Any, tuple[Any, Any]]:
    """For each of `wanted` pixels along an axis of `size`: the two source pixels, and their weights (int32)."""
    centre = ((np.arange(wanted) + 0.5) * (size / wanted) - 0.5).astype(np.float32)
    first = np.floor(centre).astype(np.intp)
    share = centre - first.astype(np.float32)
    one = np.float32(1 << WEIGHT_BITS)
    weights = np.rint((1 - share) * one).astype(np.int32), np.rint(share * one).astype(np.int32)
    return first.clip(0, size - 1), (first + 1).clip(0, size - 1), weights
