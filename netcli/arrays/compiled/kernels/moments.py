"""Sums and sums of squares of channels, by which they are normalised.

Arrays of (rows, channels, inner) lie flat in memory; channels-last images have inner = 1.
Sums of the arrays' own type run over few items, and sums of these are doubles: in float32 long sums lose digits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from netcli.arrays.compiled.kernels.jit import parallel, serial

RUN = 64  # rows that are summed in the arrays' own type
INNER_RUN = 1024  # items side by side, which are summed in several sums at once


@serial("float32[::1], float32[::1], float64[:,::1], int64, int64, int64, int64")
def moments(x: Any, shift: Any, sums: Any, channels: int, inner: int, first: int, last: int) -> None:
    """Add to sums (2, channels) those of d and of d ** 2, d = x - shift, in rows first to last - 1."""
    if inner == 1:
        _of_rows(x[first * channels : last * channels], shift, sums)
        return
    for row in range(first, last):
        for c in range(channels):
            start = (row * channels + c) * inner
            for run in range(start, start + inner, INNER_RUN):
                of_d, of_squares = np.float32(0), np.float32(0)
                for value in x[run : min(run + INNER_RUN, start + inner)]:
                    d = value - shift[c]
                    of_d += d
                    of_squares += d * d
                sums[0, c] += of_d
                sums[1, c] += of_squares


@serial("float32[::1], float32[::1], float64[:,::1]")
def _of_rows(x: Any, shift: Any, sums: Any) -> None:
    """The same of rows of channels alone, four at a time."""
    channels = shift.size
    of_d, of_squares = np.zeros(channels, np.float32), np.zeros(channels, np.float32)
    for start in range(0, x.size, RUN * channels):
        items = x[start : min(start + RUN * channels, x.size)]
        of_d[:] = 0
        of_squares[:] = 0
        fours = items.size // (4 * channels)
        for four in range(fours):
            rows = items[4 * four * channels : 4 * (four + 1) * channels]
            r0, r1 = rows[:channels], rows[channels : 2 * channels]
            r2, r3 = rows[2 * channels : 3 * channels], rows[3 * channels :]
            for c in range(channels):
                d0, d1, d2, d3 = r0[c] - shift[c], r1[c] - shift[c], r2[c] - shift[c], r3[c] - shift[c]
                of_d[c] += (d0 + d1) + (d2 + d3)
                of_squares[c] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)
        for at in range(4 * fours * channels, items.size, channels):
            r0 = items[at : at + channels]
            for c in range(channels):
                d0 = r0[c] - shift[c]
                of_d[c] += d0
                of_squares[c] += d0 * d0
        for c in range(channels):
            sums[0, c] += of_d[c]
            sums[1, c] += of_squares[c]


@parallel("int64, float32[::1], float32[::1], float64[:,:,::1], int64, int64, int64, int64")
def moments_in_parts(
    parts: int, x: Any, shift: Any, sums: Any, channels: int, inner: int, first: int, last: int
) -> None:
    """The same in parts, each with sums of its own: (parts, 2, channels)."""
    for part in prange(parts):
        start, stop = first + (last - first) * part // parts, first + (last - first) * (part + 1) // parts
        moments(x, shift, sums[part], channels, inner, start, stop)
