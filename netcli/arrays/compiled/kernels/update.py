"""The solvers' rules, each in one pass over the weights w, the gradient dw, and the histories h and q.

The numbers of all begin with scale, l2, l1 and rate: g = scale * dw + l2 * w + l1 * sign(w).
"""

from __future__ import annotations

import math
from typing import Any

from numba import prange
from numpy import float32 as number

from netcli.arrays.compiled.kernels.jit import parallel, serial


@serial("float32[::1], float32[::1], float32[::1], UniTuple(float64, 7)")
def momentum(w: Any, dw: Any, h: Any, numbers: Any) -> None:
    """u = h;  h = share * h + rate * g;  w = w - (new * h - old * u)."""
    zero = number(0)
    scale, l2, l1, rate = number(numbers[0]), number(numbers[1]), number(numbers[2]), number(numbers[3])
    share, new, old = number(numbers[4]), number(numbers[5]), number(numbers[6])
    for i in range(w.size):
        x = w[i]
        g = scale * dw[i] + l2 * x + (l1 if x > zero else (-l1 if x < zero else zero))
        u = h[i]
        v = share * u + rate * g
        h[i] = v
        w[i] = x - (new * v - old * u)


@parallel("int64, float32[::1], float32[::1], float32[::1], UniTuple(float64, 7)")
def momentum_in_parts(parts: int, w: Any, dw: Any, h: Any, numbers: Any) -> None:
    """The same in parts."""
    for part in prange(parts):
        i = slice(w.size * part // parts, w.size * (part + 1) // parts)
        momentum(w[i], dw[i], h[i], numbers)


@serial("float32[::1], float32[::1], float32[::1], UniTuple(float64, 7)")
def squares(w: Any, dw: Any, h: Any, numbers: Any) -> None:
    """h = old * h + new * g ** 2;  w = w - rate * g / (sqrt(h) + delta)."""
    zero = number(0)
    scale, l2, l1, rate = number(numbers[0]), number(numbers[1]), number(numbers[2]), number(numbers[3])
    old, new, delta = number(numbers[4]), number(numbers[5]), number(numbers[6])
    for i in range(w.size):
        x = w[i]
        g = scale * dw[i] + l2 * x + (l1 if x > zero else (-l1 if x < zero else zero))
        v = old * h[i] + new * (g * g)
        h[i] = v
        w[i] = x - rate * (g / (number(math.sqrt(v)) + delta))


@parallel("int64, float32[::1], float32[::1], float32[::1], UniTuple(float64, 7)")
def squares_in_parts(parts: int, w: Any, dw: Any, h: Any, numbers: Any) -> None:
    """The same in parts."""
    for part in prange(parts):
        i = slice(w.size * part // parts, w.size * (part + 1) // parts)
        squares(w[i], dw[i], h[i], numbers)


@serial("float32[::1], float32[::1], float32[::1], float32[::1], UniTuple(float64, 7)")
def adadelta(w: Any, dw: Any, h: Any, q: Any, numbers: Any) -> None:
    """h = share * h + rest * g ** 2;  d = g * sqrt((q + delta) / (h + delta));  w = w - rate * d.

    Then q = share * q + rest * d ** 2.
    """
    zero = number(0)
    scale, l2, l1, rate = number(numbers[0]), number(numbers[1]), number(numbers[2]), number(numbers[3])
    share, rest, delta = number(numbers[4]), number(numbers[5]), number(numbers[6])
    for i in range(w.size):
        x = w[i]
        g = scale * dw[i] + l2 * x + (l1 if x > zero else (-l1 if x < zero else zero))
        v = share * h[i] + rest * (g * g)
        d = g * number(math.sqrt((q[i] + delta) / (v + delta)))
        h[i] = v
        q[i] = share * q[i] + rest * (d * d)
        w[i] = x - rate * d


@parallel("int64, float32[::1], float32[::1], float32[::1], float32[::1], UniTuple(float64, 7)")
def adadelta_in_parts(parts: int, w: Any, dw: Any, h: Any, q: Any, numbers: Any) -> None:
    """The same in parts."""
    for part in prange(parts):
        i = slice(w.size * part // parts, w.size * (part + 1) // parts)
        adadelta(w[i], dw[i], h[i], q[i], numbers)


@serial("float32[::1], float32[::1], float32[::1], float32[::1], UniTuple(float64, 9)")
def adam(w: Any, dw: Any, h: Any, q: Any, numbers: Any) -> None:
    """h = share * h + rest * g;  q = share2 * q + rest2 * g ** 2;  w = w - rate * h / (sqrt(q) + delta)."""
    zero = number(0)
    scale, l2, l1, rate = number(numbers[0]), number(numbers[1]), number(numbers[2]), number(numbers[3])
    share, rest, share2, rest2 = number(numbers[4]), number(numbers[5]), number(numbers[6]), number(numbers[7])
    delta = number(numbers[8])
    for i in range(w.size):
        x = w[i]
        g = scale * dw[i] + l2 * x + (l1 if x > zero else (-l1 if x < zero else zero))
        m = share * h[i] + rest * g
        v = share2 * q[i] + rest2 * (g * g)
        h[i] = m
        q[i] = v
        w[i] = x - rate * (m / (number(math.sqrt(v)) + delta))


@parallel("int64, float32[::1], float32[::1], float32[::1], float32[::1], UniTuple(float64, 9)")
def adam_in_parts(parts: int, w: Any, dw: Any, h: Any, q: Any, numbers: Any) -> None:
    """The same in parts."""
    for part in prange(parts):
        i = slice(w.size * part // parts, w.size * (part + 1) // parts)
        adam(w[i], dw[i], h[i], q[i], numbers)
