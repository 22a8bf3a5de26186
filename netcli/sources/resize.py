"""Bilinear resizing to the same values as OpenCV's INTER_LINEAR.

Pixel centres are at half coordinates, the two nearest pixels along each axis are mixed whatever the reduction
(there is no antialiasing), and pixels outside repeat the border.  Weights have 11 bits and sums are rounded
as in OpenCV's fixed-point code for 8-bit images (imgproc/src/resize.cpp), so databases made by Caffe's
convert_imageset and by netcli hold the same pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

WEIGHT_BITS = 11


def resize(image: Any, height: int, width: int) -> Any:
    """(C, H, W) uint8 to (C, height, width) uint8."""
    if image.shape[1:] == (height, width):
        return image
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
