"""Factors, offsets and slopes that belong to channels, with the sums over everything else that are their gradients.

Arrays of (rows, channels, inner) lie flat in memory; channels-last images have inner = 1.  Row r has the numbers
from r // period * channels on, so that all rows may share one set, or the rows of each image.
Sums of the arrays' own type run over few items, and sums of these are doubles: in float32 long sums lose digits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from netcli.arrays.compiled.kernels.jit import parallel, serial

RUN = 64  # rows that are summed in the arrays' own type


@serial("float32[::1], float32[::1], float32[::1], float32[::1], int64, int64, int64, int64, int64")
def scale(x: Any, s: Any, b: Any, y: Any, channels: int, inner: int, period: int, first: int, last: int) -> None:
    """y = x * s + b in rows first to last - 1."""
    for row in range(first, last):
        at, of = row * channels * inner, row // period * channels
        if inner == 1:
            for c in range(channels):
                y[at + c] = x[at + c] * s[of + c] + b[of + c]
        else:
            for c in range(channels):
                factor, offset = s[of + c], b[of + c]
                for i in range(at + c * inner, at + (c + 1) * inner):
                    y[i] = x[i] * factor + offset


@parallel("int64, float32[::1], float32[::1], float32[::1], float32[::1], int64, int64, int64, int64, int64")
def scale_in_parts(
    parts: int, x: Any, s: Any, b: Any, y: Any, channels: int, inner: int, period: int, first: int, last: int
) -> None:
    """The same in parts."""
    for part in prange(parts):
        start, stop = first + (last - first) * part // parts, first + (last - first) * (part + 1) // parts
        scale(x, s, b, y, channels, inner, period, start, stop)


@serial("float32[::1], float32[::1], float64[:,::1], int64, int64, int64, int64, int64")
def scale_sums(x: Any, dy: Any, sums: Any, channels: int, inner: int, period: int, first: int, last: int) -> None:
    """Add to sums (2, numbers) those of dy * x and of dy in rows first to last - 1."""
    run = np.zeros((2, channels), np.float32)
    for row in range(first, last):
        at, of = row * channels * inner, row // period * channels
        if inner == 1:
            for c in range(channels):
                run[0, c] += dy[at + c] * x[at + c]
                run[1, c] += dy[at + c]
        else:
            for c in range(channels):
                of_both, of_dy = run[0, c], run[1, c]
                for i in range(at + c * inner, at + (c + 1) * inner):
                    of_both += dy[i] * x[i]
                    of_dy += dy[i]
                run[0, c], run[1, c] = of_both, of_dy
        if inner > 1 or (row + 1) % period == 0 or (row + 1) % RUN == 0 or row == last - 1:
            for c in range(channels):
                sums[0, of + c] += run[0, c]
                sums[1, of + c] += run[1, c]
            run[:] = 0


@parallel("int64, float32[::1], float32[::1], float64[:,:,::1], int64, int64, int64, int64, int64")
def scale_sums_in_parts(
    parts: int, x: Any, dy: Any, sums: Any, channels: int, inner: int, period: int, first: int, last: int
) -> None:
    """The same in parts, each with sums of its own: (parts, 2, numbers)."""
    for part in prange(parts):
        start, stop = first + (last - first) * part // parts, first + (last - first) * (part + 1) // parts
        scale_sums(x, dy, sums[part], channels, inner, period, start, stop)


@serial("float32[::1], float32[::1], float32[::1], int64, int64, int64, int64")
def slopes(x: Any, a: Any, y: Any, channels: int, inner: int, first: int, last: int) -> None:
    """y = x where x > 0, a * x elsewhere, in rows first to last - 1."""
    zero = np.float32(0)
    for row in range(first, last):
        at = row * channels * inner
        if inner == 1:
            for c in range(channels):
                y[at + c] = x[at + c] if x[at + c] > zero else a[c] * x[at + c]
        else:
            for c in range(channels):
                slope = a[c]
                for i in range(at + c * inner, at + (c + 1) * inner):
                    y[i] = x[i] if x[i] > zero else slope * x[i]


@parallel("int64, float32[::1], float32[::1], float32[::1], int64, int64, int64, int64")
def slopes_in_parts(parts: int, x: Any, a: Any, y: Any, channels: int, inner: int, first: int, last: int) -> None:
    """The same in parts."""
    for part in prange(parts):
        start, stop = first + (last - first) * part // parts, first + (last - first) * (part + 1) // parts
        slopes(x, a, y, channels, inner, start, stop)


@serial("float32[::1], float32[::1], float32[::1], float32[::1], float64[::1], int64, int64, int64, int64")
def slopes_gradient(
    x: Any, a: Any, dy: Any, dx: Any, sums: Any, channels: int, inner: int, first: int, last: int
) -> None:
    """dx = dy where x > 0, a * dy elsewhere, in rows first to last - 1; adds those of dy * x elsewhere to sums."""
    zero = np.float32(0)
    run = np.zeros(channels, np.float32)
    for row in range(first, last):
        at = row * channels * inner
        if inner == 1:
            for c in range(channels):
                value, g = x[at + c], dy[at + c]
                run[c] += zero if value > zero else value * g
                dx[at + c] = g if value > zero else a[c] * g
        else:
            for c in range(channels):
                slope, total = a[c], run[c]
                for i in range(at + c * inner, at + (c + 1) * inner):
                    value, g = x[i], dy[i]
                    total += zero if value > zero else value * g
                    dx[i] = g if value > zero else slope * g
                run[c] = total
        if inner > 1 or (row + 1) % RUN == 0 or row == last - 1:
            for c in range(channels):
                sums[c] += run[c]
            run[:] = 0


@parallel("int64, float32[::1], float32[::1], float32[::1], float32[::1], float64[:,::1], int64, int64, int64, int64")
def slopes_gradient_in_parts(
    parts: int, x: Any, a: Any, dy: Any, dx: Any, sums: Any, channels: int, inner: int, first: int, last: int
) -> None:
    """The same in parts, each with sums of its own: (parts, channels)."""
    for part in prange(parts):
        start, stop = first + (last - first) * part // parts, first + (last - first) * (part + 1) // parts
        slopes_gradient(x, a, dy, dx, sums[part], channels, inner, start, stop)
