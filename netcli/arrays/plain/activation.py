"""Elementwise non-linearities."""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays.layout import Shape


class Activation:
    """See `Ops.activation`."""

    def __init__(self, kind: str, shape: Shape, alpha: float, dtype: Any) -> None:
        self.kind = kind
        self.alpha = np.dtype(dtype).type(alpha)

    def forward(self, x: Any, y: Any) -> None:
        if self.kind == "relu":
            np.copyto(y, np.where(x > 0, x, self.alpha * x) if self.alpha else np.maximum(x, 0))
        elif self.kind == "elu":
            # expm1: for |x| << 1, exp(x) - 1 cancels and float32 keeps few or no right digits.
            np.copyto(y, np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0))))
        elif self.kind == "sigmoid":
            np.copyto(y, 0.5 * np.tanh(0.5 * x) + 0.5)
        else:
            np.tanh(x, out=y)

    def backward(self, x: Any, y: Any, dy: Any, dx: Any) -> None:
        if self.kind == "relu":
            np.multiply(dy, np.where(x > 0, 1, self.alpha).astype(dy.dtype), out=dx)
        elif self.kind == "elu":
            np.multiply(dy, np.where(x > 0, 1, y + self.alpha).astype(dy.dtype), out=dx)
        elif self.kind == "sigmoid":
            np.multiply(dy, y * (1 - y), out=dx)
        else:
            np.multiply(dy, 1 - y * y, out=dx)
