"""Softmax of classes that lie side by side."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange

from netcli.arrays.compiled.kernels.jit import parallel, serial


@serial("float32[::1], float32[::1], int64")
def softmax(x: Any, y: Any, classes: int) -> None:
    """y = exp(x - max) / sum(exp(x - max)); what is not finite makes its whole row not a number."""
    for first in range(0, x.size, classes):
        source, target = x[first : first + classes], y[first : first + classes]
        highest, total = source[0], np.float32(0)
        for c in range(1, classes):
            highest = source[c] if source[c] > highest else highest
        for c in range(classes):
            target[c] = np.float32(math.exp(source[c] - highest))
            total += target[c]
        for c in range(classes):
            target[c] /= total


@parallel("int64, float32[::1], float32[::1], int64")
def softmax_in_parts(parts: int, x: Any, y: Any, classes: int) -> None:
    """The same in parts."""
    rows = x.size // classes
    for part in prange(parts):
        of_part = slice(rows * part // parts * classes, rows * (part + 1) // parts * classes)
        softmax(x[of_part], y[of_part], classes)


@serial("float32[::1], float32[::1], float32[::1], int64")
def gradient(y: Any, dy: Any, dx: Any, classes: int) -> None:
    """dx = (dy - sum(dy * y)) * y."""
    for first in range(0, y.size, classes):
        of_item = slice(first, first + classes)
        p, g, target = y[of_item], dy[of_item], dx[of_item]
        total = np.float32(0)
        for c in range(classes):
            total += g[c] * p[c]
        for c in range(classes):
            target[c] = (g[c] - total) * p[c]


@parallel("int64, float32[::1], float32[::1], float32[::1], int64")
def gradient_in_parts(parts: int, y: Any, dy: Any, dx: Any, classes: int) -> None:
    """The same in parts."""
    rows = y.size // classes
    for part in prange(parts):
        of_part = slice(rows * part // parts * classes, rows * (part + 1) // parts * classes)
        gradient(y[of_part], dy[of_part], dx[of_part], classes)
