"""Elementwise non-linearities."""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays.layout import Shape, count_of
from netcli.arrays.work_space import Calls, WorkSpace


class Activation:
    """See `Ops.activation`."""

    def __init__(self, kind: str, shape: Shape, alpha: float, dtype: Any) -> None:
        self.kind = kind
        self._count, self._itemsize = count_of(shape), np.dtype(dtype).itemsize
        # Numbers of the arrays' own dtype: NumPy makes doubles of two Python floats in `where`.
        self.alpha, self.one = np.dtype(dtype).type(alpha), np.dtype(dtype).type(1)

    def forward(self, x: Any, y: Any) -> None:
        if self.kind == "relu" and not self.alpha:
            np.maximum(x, 0, out=y)
        elif self.kind == "relu":
            y[...] = np.where(x > 0, x, self.alpha * x)
        elif self.kind == "elu":
            # expm1: for |x| << 1, exp(x) - 1 cancels and float32 keeps few or no right digits.
            y[...] = np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))
        elif self.kind == "sigmoid":
            # 1 / (1 + exp(-x)) without an exp that overflows.
            np.multiply(x, 0.5, out=y)
            np.tanh(y, out=y)
            y *= 0.5
            y += 0.5
        else:
            np.tanh(x, out=y)

    def backward(self, x: Any, y: Any, dy: Any, dx: Any) -> None:
        if self.kind == "relu":
            slope = np.where(x > 0, self.one, self.alpha) if self.alpha else x > 0
        elif self.kind == "elu":
            slope = np.where(x > 0, self.one, y + self.alpha)
        elif self.kind == "sigmoid":
            slope = y * (1 - y)
        else:
            slope = 1 - y * y
        np.multiply(dy, slope, out=dx)

    def work_space(self, calls: Calls) -> WorkSpace:
        if self.kind == "relu" and not self.alpha:
            return WorkSpace(0, self._count * calls.backward)  # a byte for each sign
        # Two steps towards a result or a slope.
        steps = 2 if calls.backward or self.kind in ("relu", "elu") else 0
        return WorkSpace(0, steps * self._count * self._itemsize)


def rectify(y: Any, slope: float) -> None:
    """ReLU of what another op has just written, in place; to the bit that of Activation."""
    if slope:
        np.multiply(y, y.dtype.type(slope), out=y, where=y < 0)
    else:
        np.maximum(y, 0, out=y)
