"""Local response normalisation across the channels of channels-last images, with the power 0.75: two roots.

Rows are pixels.  s = k + scale * sum(x ** 2), which backward works out anew: that costs less than to keep it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange

from netcli.arrays.compiled.kernels.jit import parallel, serial


@serial("float32[::1], float32[::1], float32[::1], int64, float32, float32")
def _sums(x: Any, squares: Any, s: Any, size: int, factor: Any, least: Any) -> None:
    """s of one row; squares: (size // 2 zeros, a row, size // 2 zeros), is overwritten between the zeros."""
    channels = x.size
    within = squares[size // 2 : size // 2 + channels]
    for c in range(channels):
        within[c] = x[c] * x[c]
        s[c] = 0
    for offset in range(size):
        shifted = squares[offset : offset + channels]
        for c in range(channels):
            s[c] += shifted[c]
    for c in range(channels):
        s[c] = least + factor * s[c]


@serial("float32[::1], float32[::1], int64, int64, float64, float64, int64, int64")
def normalise(x: Any, y: Any, channels: int, size: int, scale: float, k: float, first: int, last: int) -> None:
    """y = x * s ** -0.75 in rows first to last - 1; size: channels in the sum."""
    factor, least, one = np.float32(scale), np.float32(k), np.float32(1)
    squares, s = np.zeros(channels + 2 * (size // 2), np.float32), np.empty(channels, np.float32)
    for row in range(first, last):
        source, target = x[row * channels : (row + 1) * channels], y[row * channels : (row + 1) * channels]
        _sums(source, squares, s, size, factor, least)
        for c in range(channels):
            root = np.float32(math.sqrt(s[c]))
            target[c] = source[c] * (one / (root * np.float32(math.sqrt(root))))


@parallel("int64, float32[::1], float32[::1], int64, int64, float64, float64, int64, int64")
def normalise_in_parts(
    parts: int, x: Any, y: Any, channels: int, size: int, scale: float, k: float, first: int, last: int
) -> None:
    """The same in parts."""
    for part in prange(parts):
        start, stop = first + (last - first) * part // parts, first + (last - first) * (part + 1) // parts
        normalise(x, y, channels, size, scale, k, start, stop)


@serial("float32[::1], float32[::1], float32[::1], int64, int64, float64, float64, int64, int64")
def gradient(x: Any, dy: Any, dx: Any, channels: int, size: int, scale: float, k: float, first: int, last: int) -> None:
    """dx = dy * s ** -0.75 - 1.5 * scale * x * sum(dy * x * s ** -1.75), the sum over as many channels."""
    factor, least, one, reach = np.float32(scale), np.float32(k), np.float32(1), size // 2
    back = np.float32(1.5 * scale)
    squares, s = np.zeros(channels + 2 * reach, np.float32), np.empty(channels, np.float32)
    ratios, total = np.zeros(channels + 2 * reach, np.float32), np.empty(channels, np.float32)
    within = ratios[reach : reach + channels]
    for row in range(first, last):
        of_row = slice(row * channels, (row + 1) * channels)
        source, g, target = x[of_row], dy[of_row], dx[of_row]
        _sums(source, squares, s, size, factor, least)
        for c in range(channels):
            root = np.float32(math.sqrt(s[c]))
            scaled = g[c] * (one / (root * np.float32(math.sqrt(root))))
            within[c] = scaled * source[c] / s[c]
            s[c] = scaled
            total[c] = 0
        for offset in range(size):
            shifted = ratios[offset : offset + channels]
            for c in range(channels):
                total[c] += shifted[c]
        for c in range(channels):
            target[c] = s[c] - back * source[c] * total[c]


@parallel("int64, float32[::1], float32[::1], float32[::1], int64, int64, float64, float64, int64, int64")
def gradient_in_parts(
    parts: int, x: Any, dy: Any, dx: Any, channels: int, size: int, scale: float, k: float, first: int, last: int
) -> None:
    """The same in parts."""
    for part in prange(parts):
        start, stop = first + (last - first) * part // parts, first + (last - first) * (part + 1) // parts
        gradient(x, dy, dx, channels, size, scale, k, start, stop)
