"""Bilinear resizing of bytes, in the whole numbers of arrays/resize.py."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba.core import types

from netcli.arrays.compiled.kernels.images import OF_SOURCE
from netcli.arrays.compiled.kernels.jit import FASTMATH, serial

PLACES = types.Array(types.intp, 1, "C")
WEIGHTS = types.Array(types.int32, 1, "C")
TAPS = (PLACES, PLACES, WEIGHTS, WEIGHTS)  # of each result: two places of the source, and their weights


@serial((*OF_SOURCE, *TAPS, *TAPS, types.Array(types.uint8, 1, "C")))
def resize(
    source: Any,
    planes: bool,
    channels: int,
    height: int,
    width: int,
    top: Any,
    bottom: Any,
    of_top: Any,
    of_bottom: Any,
    left: Any,
    right: Any,
    of_left: Any,
    of_right: Any,
    out: Any,
) -> None:
    """The results lie in pixels.  A row of the source that two rows of the result need is mixed once."""
    columns = left.size
    wide = columns * channels
    step = 1 if planes else channels
    next_channel = height * width if planes else 1
    # Where each number of a row of results finds its two, and their weights.
    first, second = np.empty(wide, np.uint64), np.empty(wide, np.uint64)
    one, other = np.empty(wide, np.int32), np.empty(wide, np.int32)
    for w in range(columns):
        for c in range(channels):
            i = w * channels + c
            first[i] = left[w] * step + c * next_channel
            second[i] = right[w] * step + c * next_channel
            one[i], other[i] = of_left[w], of_right[w]
    upper, lower = np.empty(wide, np.int32), np.empty(wide, np.int32)
    in_upper, in_lower = -1, -1
    for h in range(top.size):
        if top[h] != in_upper:
            if top[h] == in_lower:
                upper, lower = lower, upper
                in_upper, in_lower = in_lower, in_upper
            else:
                _mixed(source[top[h] * width * step :], first, second, one, other, upper)
                in_upper = top[h]
        if bottom[h] != in_lower and bottom[h] != in_upper:
            _mixed(source[bottom[h] * width * step :], first, second, one, other, lower)
            in_lower = bottom[h]
        _between(
            upper,
            upper if bottom[h] == in_upper else lower,
            of_top[h],
            of_bottom[h],
            out[h * wide : (h + 1) * wide],
        )


@numba.njit(nogil=True, fastmath=FASTMATH, error_model="numpy", inline="always")
def _mixed(row: Any, first: Any, second: Any, one: Any, other: Any, into: Any) -> None:
    """Along a row: 15 bits."""
    for i in range(np.uint64(into.size)):
        into[i] = (np.int32(row[first[i]]) * one[i] + np.int32(row[second[i]]) * other[i]) >> np.int32(4)


@numba.njit(nogil=True, fastmath=FASTMATH, error_model="numpy", inline="always")
def _between(upper: Any, lower: Any, of_upper: Any, of_lower: Any, into: Any) -> None:
    """Of two rows: 10 bits, of which the last 2 round."""
    for i in range(np.uint64(into.size)):
        mixed = ((upper[i] * of_upper) >> np.int32(16)) + ((lower[i] * of_lower) >> np.int32(16)) + np.int32(2)
        into[i] = mixed >> np.int32(2)
