"""The larger of two items, and which it was.

What is not a number is the larger one, so that it shows.  See "In place" in README.md here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from netcli.arrays.compiled.kernels.jit import parallel, serial

SOME = 1024  # items at a time


@serial("float32[::1], float32[::1], float32[::1], uint8[::1]")
def of_two(a: Any, b: Any, y: Any, winner: Any) -> None:
    """y = the larger of a and b; winner = 1 where b is at least a, 0 elsewhere."""
    for i in range(a.size):
        y[i] = b[i] if (b[i] >= a[i]) | (b[i] != b[i]) else a[i]
        winner[i] = a[i] <= b[i]


@parallel("int64, float32[::1], float32[::1], float32[::1], uint8[::1]")
def of_two_in_parts(parts: int, a: Any, b: Any, y: Any, winner: Any) -> None:
    """The same in parts."""
    for part in prange(parts):
        i = slice(a.size * part // parts, a.size * (part + 1) // parts)
        of_two(a[i], b[i], y[i], winner[i])


@serial("float32[::1], float32[::1], uint8[::1], int64")
def of_more(x: Any, y: Any, winner: Any, number: int) -> None:
    """y = the larger of y and x; winner = number where x is larger."""
    so_far, before, mine = np.empty(SOME, np.float32), np.empty(SOME, np.uint8), np.uint8(number)
    for at in range(0, x.size, SOME):
        new, target, of_items = x[at : at + SOME], y[at : at + SOME], winner[at : at + SOME]
        for i in range(new.size):
            so_far[i] = target[i]
            before[i] = of_items[i]
        for i in range(new.size):
            target[i] = new[i] if (new[i] > so_far[i]) | (new[i] != new[i]) else so_far[i]
            of_items[i] = mine if new[i] > so_far[i] else before[i]


@parallel("int64, float32[::1], float32[::1], uint8[::1], int64")
def of_more_in_parts(parts: int, x: Any, y: Any, winner: Any, number: int) -> None:
    """The same in parts."""
    for part in prange(parts):
        i = slice(x.size * part // parts, x.size * (part + 1) // parts)
        of_more(x[i], y[i], winner[i], number)


@serial("float32[::1], float32[::1], uint8[::1], int64")
def gradient(dy: Any, dx: Any, winner: Any, number: int) -> None:
    """dx = dy where the winner has this number, dy * 0 elsewhere."""
    one, zero, mine = np.float32(1), np.float32(0), np.uint8(number)
    for i in range(dy.size):
        dx[i] = dy[i] * (one if winner[i] == mine else zero)


@parallel("int64, float32[::1], float32[::1], uint8[::1], int64")
def gradient_in_parts(parts: int, dy: Any, dx: Any, winner: Any, number: int) -> None:
    """The same in parts."""
    for part in prange(parts):
        i = slice(dy.size * part // parts, dy.size * (part + 1) // parts)
        gradient(dy[i], dx[i], winner[i], number)
