"""Local response normalisation across the channels of channels-last images, with the power 0.75: two roots.

Rows are pixels.  s = k + scale * sum(x ** 2) is kept for backward, in as many items as x has, or in none.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange

from netcli.arrays.compiled.kernels.jit import parallel, serial


@serial("float32[::1], float32[::1], float32[::1], int64, int64, float64, float64, int64, int64")
def normalise(
    x: Any, y: Any, kept: Any, channels: int, size: int, scale: float, k: float, first: int, last: int
) -> None:
    """y = x * s ** -0.75 in rows first to last - 1; size: channels in the sum."""
    factor, least, one, reach = np.float32(scale), np.float32(k), np.float32(1), size // 2
    squares, s = np.zeros(channels + 2 * reach, np.float32), np.empty(channels, np.float32)
    for row in range(first, last):
        source, target = x[row * channels : (row + 1) * channels], y[row * channels : (row + 1) * channels]
        within = squares[reach : reach + channels]
        for c in range(channels):
            within[c] = source[c] * source[c]
            s[c] = 0
        for offset in range(size):
            shifted = squares[offset : offset + channels]
            for c in range(channels):
                s[c] += shifted[c]
        for c in range(channels):
            s[c] = least + factor * s[c]
            root = np.float32(math.sqrt(s[c]))
            target[c] = source[c] * (one / (root * np.float32(math.sqrt(root))))
        if kept.size:
            keep = kept[row * channels : (row + 1) * channels]
            for c in range(channels):
                keep[c] = s[c]


@parallel("int64, float32[::1], float32[::1], float32[::1], int64, int64, float64, float64, int64, int64")
def normalise_in_parts(
    parts: int, x: Any, y: Any, kept: Any, channels: int, size: int, scale: float, k: float, first: int, last: int
) -> None:
    """The same in parts."""
    for part in prange(parts):
        start, stop = first + (last - first) * part // parts, first + (last - first) * (part + 1) // parts
        normalise(x, y, kept, channels, size, scale, k, start, stop)


@serial("float32[::1], float32[::1], float32[::1], float32[::1], float32[::1], int64, int64, float64, int64, int64")
def gradient(
    x: Any, y: Any, dy: Any, dx: Any, kept: Any, channels: int, size: int, scale: float, first: int, last: int
) -> None:
    """dx = dy * s ** -0.75 - 1.5 * scale * x * sum(dy * y / s), the sum over as many channels."""
    factor, one, reach = np.float32(1.5 * scale), np.float32(1), size // 2
    ratios, total = np.zeros(channels + 2 * reach, np.float32), np.empty(channels, np.float32)
    for row in range(first, last):
        of_row = slice(row * channels, (row + 1) * channels)
        source, result, g, target, s = x[of_row], y[of_row], dy[of_row], dx[of_row], kept[of_row]
        within = ratios[reach : reach + channels]
        for c in range(channels):
            within[c] = g[c] * result[c] / s[c]
            total[c] = 0
        for offset in range(size):
            shifted = ratios[offset : offset + channels]
            for c in range(channels):
                total[c] += shifted[c]
        for c in range(channels):
            root = np.float32(math.sqrt(s[c]))
            target[c] = g[c] * (one / (root * np.float32(math.sqrt(root)))) - factor * source[c] * total[c]


@parallel(
    "int64, float32[::1], float32[::1], float32[::1], float32[::1], float32[::1], int64, int64, float64, int64, int64"
)
def gradient_in_parts(
    parts: int,
    x: Any,
    y: Any,
    dy: Any,
    dx: Any,
    kept: Any,
    channels: int,
    size: int,
    scale: float,
    first: int,
    last: int,
) -> None:
    """The same in parts."""
    for part in prange(parts):
        start, stop = first + (last - first) * part // parts, first + (last - first) * (part + 1) // parts
        gradient(x, y, dy, dx, kept, channels, size, scale, start, stop)
