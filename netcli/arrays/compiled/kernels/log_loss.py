"""The logarithmic loss of probabilities p, whose classes lie side by side, item after item."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange

from netcli.arrays.compiled.kernels.jit import parallel, serial


@serial("float32[::1], intp[::1], int64, float64")
def loss(p: Any, index: Any, classes: int, smallest: float) -> float:
    """The sum of -log(max(p, smallest)) at each item's index, where that is not negative."""
    total = 0.0
    for item in range(index.size):
        if index[item] >= 0:
            found = float(p[item * classes + index[item]])
            total -= math.log(smallest if found < smallest else found)  # NaN is neither and stays
    return total


@serial("float32[::1], float32[::1], intp[::1], int64, float64")
def gradient(p: Any, dx: Any, index: Any, classes: int, scale: float) -> None:
    """dx = scale * (p - 1) at each item's index and scale * p elsewhere; 0 where the index is negative."""
    factor, zero = np.float32(scale), np.float32(0)
    for item in range(index.size):
        of_item = slice(item * classes, (item + 1) * classes)
        source, target = p[of_item], dx[of_item]
        if index[item] < 0:
            target[:] = zero
            continue
        for c in range(classes):
            target[c] = factor * source[c]
        target[index[item]] -= factor


@parallel("int64, float32[::1], float32[::1], intp[::1], int64, float64")
def gradient_in_parts(parts: int, p: Any, dx: Any, index: Any, classes: int, scale: float) -> None:
    """The same in parts."""
    for part in prange(parts):
        start, stop = index.size * part // parts, index.size * (part + 1) // parts
        i = slice(start * classes, stop * classes)
        gradient(p[i], dx[i], index[start:stop], classes, scale)
