"""Pooling of channels-last images, window by window; the channels of a pixel lie side by side.

size: (height, width, channels, rows, columns) of input and output; window: (kernel_h, kernel_w, stride_h, stride_w,
pad_h, pad_w).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from netcli.arrays.compiled.kernels.jit import parallel, serial

LOWEST = np.finfo(np.float32).min


@serial("float32[::1], float32[::1], int32[::1], UniTuple(int64, 5), UniTuple(int64, 6), int64, int64")
def maximum(x: Any, y: Any, mask: Any, size: Any, window: Any, first: int, last: int) -> None:
    """The first largest item of each window that is above the lowest number, and h * W + w of it, or -1.

    first, last: rows of the output, image after image.
    """
    height, width, channels, rows, columns = size
    kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w = window
    for line in range(first, last):
        image, row = line // rows, line % rows
        top, of_image = row * stride_h - pad_h, image * height * width
        for column in range(columns):
            left, at = column * stride_w - pad_w, (line * columns + column) * channels
            best, place = y[at : at + channels], mask[at : at + channels]
            best[:] = LOWEST
            place[:] = -1
            for h in range(max(top, 0), min(top + kernel_h, height)):
                for w in range(max(left, 0), min(left + kernel_w, width)):
                    cell = np.int32(h * width + w)
                    now = x[(of_image + cell) * channels : (of_image + cell + 1) * channels]
                    for c in range(channels):
                        better = now[c] > best[c]
                        best[c] = now[c] if better else best[c]
                        place[c] = cell if better else place[c]


@parallel("int64, float32[::1], float32[::1], int32[::1], UniTuple(int64, 5), UniTuple(int64, 6), int64, int64")
def maximum_in_parts(parts: int, x: Any, y: Any, mask: Any, size: Any, window: Any, first: int, last: int) -> None:
    """The same in parts."""
    for part in prange(parts):
        start, stop = first + (last - first) * part // parts, first + (last - first) * (part + 1) // parts
        maximum(x, y, mask, size, window, start, stop)


@serial("float32[::1], float32[::1], int32[::1], UniTuple(int64, 5), int64, int64")
def to_maximum(dy: Any, dx: Any, mask: Any, size: Any, first: int, last: int) -> None:
    """dx = dy where the mask says, summed; in images first to last - 1."""
    height, width, channels, rows, columns = size
    for image in range(first, last):
        of_image = dx[image * height * width * channels : (image + 1) * height * width * channels]
        of_image[:] = 0
        for line in range(image * rows * columns, (image + 1) * rows * columns):
            g, place = dy[line * channels : (line + 1) * channels], mask[line * channels : (line + 1) * channels]
            for c in range(channels):
                if place[c] >= 0:
                    of_image[place[c] * channels + c] += g[c]


@parallel("int64, float32[::1], float32[::1], int32[::1], UniTuple(int64, 5), int64, int64")
def to_maximum_in_parts(parts: int, dy: Any, dx: Any, mask: Any, size: Any, first: int, last: int) -> None:
    """The same in parts."""
    for part in prange(parts):
        start, stop = first + (last - first) * part // parts, first + (last - first) * (part + 1) // parts
        to_maximum(dy, dx, mask, size, start, stop)


@serial("float32[::1], float32[::1], UniTuple(int64, 5), UniTuple(int64, 6), int64, int64")
def average(x: Any, y: Any, size: Any, window: Any, first: int, last: int) -> None:
    """The sum of each window over its area, clipped to the image and its padding; in rows as `maximum`."""
    height, width, channels, rows, columns = size
    kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w = window
    for line in range(first, last):
        image, row = line // rows, line % rows
        top, of_image = row * stride_h - pad_h, image * height * width
        high = min(top + kernel_h, height + pad_h) - top
        for column in range(columns):
            left, at = column * stride_w - pad_w, (line * columns + column) * channels
            area = high * (min(left + kernel_w, width + pad_w) - left)
            share = np.float32(1 / area if area > 0 else 0)
            total = y[at : at + channels]
            total[:] = 0
            for h in range(max(top, 0), min(top + kernel_h, height)):
                for w in range(max(left, 0), min(left + kernel_w, width)):
                    cell = of_image + h * width + w
                    now = x[cell * channels : (cell + 1) * channels]
                    for c in range(channels):
                        total[c] += now[c]
            for c in range(channels):
                total[c] *= share


@parallel("int64, float32[::1], float32[::1], UniTuple(int64, 5), UniTuple(int64, 6), int64, int64")
def average_in_parts(parts: int, x: Any, y: Any, size: Any, window: Any, first: int, last: int) -> None:
    """The same in parts."""
    for part in prange(parts):
        start, stop = first + (last - first) * part // parts, first + (last - first) * (part + 1) // parts
        average(x, y, size, window, start, stop)


@serial("float32[::1], float32[::1], UniTuple(int64, 5), UniTuple(int64, 6), int64, int64")
def to_average(dy: Any, dx: Any, size: Any, window: Any, first: int, last: int) -> None:
    """The gradient of `average`; in images first to last - 1."""
    height, width, channels, rows, columns = size
    kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w = window
    for image in range(first, last):
        of_image = image * height * width
        dx[of_image * channels : (of_image + height * width) * channels] = 0
        for row in range(rows):
            top = row * stride_h - pad_h
            high = min(top + kernel_h, height + pad_h) - top
            for column in range(columns):
                left, at = column * stride_w - pad_w, ((image * rows + row) * columns + column) * channels
                area = high * (min(left + kernel_w, width + pad_w) - left)
                share = np.float32(1 / area if area > 0 else 0)
                g = dy[at : at + channels]
                for h in range(max(top, 0), min(top + kernel_h, height)):
                    for w in range(max(left, 0), min(left + kernel_w, width)):
                        cell = of_image + h * width + w
                        now = dx[cell * channels : (cell + 1) * channels]
                        for c in range(channels):
                            now[c] += g[c] * share


@parallel("int64, float32[::1], float32[::1], UniTuple(int64, 5), UniTuple(int64, 6), int64, int64")
def to_average_in_parts(parts: int, dy: Any, dx: Any, size: Any, window: Any, first: int, last: int) -> None:
    """The same in parts."""
    for part in prange(parts):
        start, stop = first + (last - first) * part // parts, first + (last - first) * (part + 1) // parts
        to_average(dy, dx, size, window, start, stop)
