"""Factors, offsets and slopes that belong to channels, with the sums over everything else that are their gradients.

Arrays of (rows, channels, inner) lie flat in memory; channels-last images have inner = 1.  Row r has the numbers
from r // period * channels on, so that all rows may share one set, or the rows of each image.
An output may be an input: see "In place" in README.md here.
Sums of the arrays' own type run over few items, and sums of these are doubles: in float32 long sums lose digits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from netcli.arrays.compiled.kernels.jit import parallel, serial

RUN = 64  # rows, or wide rows, that are summed in the arrays' own type
# Numbers that rows of few channels are taken together for, each channel's repeated: only long loops are vectorised.
WIDE = 256
SIDE = 1024  # items of a channel that lie side by side, at a time


@serial("float32[::1], float32[::1], float32[::1], float32[::1], int64, int64, int64, int64, int64")
def scale(x: Any, s: Any, b: Any, y: Any, channels: int, inner: int, period: int, first: int, last: int) -> None:
    """y = x * s + b in rows first to last - 1."""
    if inner == 1:
        wide = max(1, min(WIDE // channels, period))
        factors, offsets = np.empty(wide * channels, np.float32), np.empty(wide * channels, np.float32)
        values = np.empty(wide * channels, np.float32)
        row = first
        while row < last:
            if row == first or row % period == 0:
                of = row // period * channels
                for i in range(wide * channels):
                    factors[i], offsets[i] = s[of + i % channels], b[of + i % channels]
            rows = min(wide, last - row, period - row % period)
            source, target = x[row * channels : (row + rows) * channels], y[row * channels : (row + rows) * channels]
            for c in range(rows * channels):
                values[c] = source[c]
            for c in range(rows * channels):
                target[c] = values[c] * factors[c] + offsets[c]
            row += rows
    else:
        values = np.empty(min(inner, SIDE), np.float32)
        for row in range(first, last):
            factors, offsets = s[row // period * channels :], b[row // period * channels :]
            for c in range(channels):
                factor, offset = factors[c], offsets[c]
                for at in range((row * channels + c) * inner, (row * channels + c + 1) * inner, SIDE):
                    items = min(SIDE, (row * channels + c + 1) * inner - at)
                    source, target = x[at : at + items], y[at : at + items]
                    for i in range(items):
                        values[i] = source[i]
                    for i in range(items):
                        target[i] = values[i] * factor + offset


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
    if inner == 1:
        wide = max(1, min(WIDE // channels, period))
        of_both, of_dy = np.zeros(wide * channels, np.float32), np.zeros(wide * channels, np.float32)
        row, run = first, 0
        while row < last:
            rows = min(wide, last - row, period - row % period)
            value, g = x[row * channels : (row + rows) * channels], dy[row * channels : (row + rows) * channels]
            for c in range(rows * channels):
                of_both[c] += g[c] * value[c]
                of_dy[c] += g[c]
            of = row // period * channels
            row, run = row + rows, run + 1
            if run == RUN or row == last or row % period == 0:
                run = 0
                for repeat in range(wide):
                    for c in range(channels):
                        sums[0, of + c] += of_both[repeat * channels + c]
                        sums[1, of + c] += of_dy[repeat * channels + c]
                for c in range(wide * channels):
                    of_both[c] = of_dy[c] = 0
    else:
        for row in range(first, last):
            of = row // period * channels
            for c in range(channels):
                at = (row * channels + c) * inner
                value, g = x[at : at + inner], dy[at : at + inner]
                both, alone = np.float32(0), np.float32(0)
                for i in range(inner):
                    both += g[i] * value[i]
                    alone += g[i]
                sums[0, of + c] += both
                sums[1, of + c] += alone


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
    zero, one = np.float32(0), np.float32(1)
    if inner == 1:
        wide = max(1, WIDE // channels)
        slopes, values = np.empty(wide * channels, np.float32), np.empty(wide * channels, np.float32)
        for i in range(wide * channels):
            slopes[i] = a[i % channels]
        for row in range(first, last, wide):
            of_rows = slice(row * channels, min(row + wide, last) * channels)
            source, target = x[of_rows], y[of_rows]
            for c in range(source.size):
                values[c] = source[c]
            for c in range(source.size):
                target[c] = values[c] * (one if values[c] > zero else slopes[c])
    else:
        values = np.empty(min(inner, SIDE), np.float32)
        for row in range(first, last):
            for c in range(channels):
                slope = a[c]
                for at in range((row * channels + c) * inner, (row * channels + c + 1) * inner, SIDE):
                    items = min(SIDE, (row * channels + c + 1) * inner - at)
                    source, target = x[at : at + items], y[at : at + items]
                    for i in range(items):
                        values[i] = source[i]
                    for i in range(items):
                        target[i] = values[i] * (one if values[i] > zero else slope)


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
    if inner > 1:
        _slopes_gradient_of_planes(x, a, dy, dx, sums, channels, inner, first, last)
        return
    zero, one = np.float32(0), np.float32(1)
    wide = max(1, WIDE // channels)
    slopes, totals = np.empty(wide * channels, np.float32), np.zeros(wide * channels, np.float32)
    gradients = np.empty(wide * channels, np.float32)
    for i in range(wide * channels):
        slopes[i] = a[i % channels]
    run = 0
    for row in range(first, last, wide):
        of_rows = slice(row * channels, min(row + wide, last) * channels)
        value, g, target = x[of_rows], dy[of_rows], dx[of_rows]
        for c in range(value.size):
            gradients[c] = g[c]
            totals[c] += g[c] * (zero if value[c] > zero else value[c])
        for c in range(value.size):
            target[c] = gradients[c] * (one if value[c] > zero else slopes[c])
        run += 1
        if run == RUN or row + wide >= last:
            run = 0
            for repeat in range(wide):
                for c in range(channels):
                    sums[c] += totals[repeat * channels + c]
            for c in range(wide * channels):
                totals[c] = 0


@serial("float32[::1], float32[::1], float32[::1], float32[::1], float64[::1], int64, int64, int64, int64")
def _slopes_gradient_of_planes(
    x: Any, a: Any, dy: Any, dx: Any, sums: Any, channels: int, inner: int, first: int, last: int
) -> None:
    """The same where the items of a channel lie side by side."""
    zero, one = np.float32(0), np.float32(1)
    gradients = np.empty(min(inner, SIDE), np.float32)
    for row in range(first, last):
        for c in range(channels):
            slope = a[c]
            for at in range((row * channels + c) * inner, (row * channels + c + 1) * inner, SIDE):
                items = min(SIDE, (row * channels + c + 1) * inner - at)
                value, g, target = x[at : at + items], dy[at : at + items], dx[at : at + items]
                total = zero
                for i in range(items):
                    gradients[i] = g[i]
                    total += g[i] * (zero if value[i] > zero else value[i])
                for i in range(items):
                    target[i] = gradients[i] * (one if value[i] > zero else slope)
                sums[c] += total


@parallel("int64, float32[::1], float32[::1], float32[::1], float32[::1], float64[:,::1], int64, int64, int64, int64")
def slopes_gradient_in_parts(
    parts: int, x: Any, a: Any, dy: Any, dx: Any, sums: Any, channels: int, inner: int, first: int, last: int
) -> None:
    """The same in parts, each with sums of its own: (parts, channels)."""
    for part in prange(parts):
        start, stop = first + (last - first) * part // parts, first + (last - first) * (part + 1) // parts
        slopes_gradient(x, a, dy, dx, sums[part], channels, inner, start, stop)
