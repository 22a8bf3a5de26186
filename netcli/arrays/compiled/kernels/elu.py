"""Exponential linear units."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange

from netcli.arrays.compiled.kernels.jit import parallel, serial

SOME = 1024  # items at a time


@serial("float32[::1], float32[::1], float64")
def elu(x: Any, y: Any, alpha: float) -> None:
    """y = x where x > 0, alpha * (exp(x) - 1) elsewhere."""
    least, zero = np.float32(alpha), np.float32(0)
    for i in range(x.size):
        y[i] = x[i] if x[i] > zero else least * np.float32(math.expm1(x[i]))


@parallel("int64, float32[::1], float32[::1], float64")
def elu_in_parts(parts: int, x: Any, y: Any, alpha: float) -> None:
    """The same in parts."""
    for part in prange(parts):
        i = slice(x.size * part // parts, x.size * (part + 1) // parts)
        elu(x[i], y[i], alpha)


@serial("float32[::1], float32[::1], float32[::1], float32[::1], float64")
def gradient(x: Any, y: Any, dy: Any, dx: Any, alpha: float) -> None:
    """dx = dy where x > 0, (y + alpha) * dy elsewhere."""
    least, zero, one = np.float32(alpha), np.float32(0), np.float32(1)
    gradients = np.empty(min(x.size, SOME), np.float32)
    for at in range(0, x.size, SOME):
        of_x, of_y = x[at : at + SOME], y[at : at + SOME]
        g, target = dy[at : at + SOME], dx[at : at + SOME]
        for i in range(of_x.size):
            gradients[i] = g[i]
        for i in range(of_x.size):
            target[i] = gradients[i] * (one if of_x[i] > zero else of_y[i] + least)


@parallel("int64, float32[::1], float32[::1], float32[::1], float32[::1], float64")
def gradient_in_parts(parts: int, x: Any, y: Any, dy: Any, dx: Any, alpha: float) -> None:
    """The same in parts."""
    for part in prange(parts):
        i = slice(x.size * part // parts, x.size * (part + 1) // parts)
        gradient(x[i], y[i], dy[i], dx[i], alpha)
