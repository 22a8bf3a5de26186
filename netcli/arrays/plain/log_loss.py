"""The logarithmic loss of probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays.layout import Shape
from netcli.arrays.ops import SMALLEST


class LogLoss:
    """See `Ops.log_loss`."""

    def __init__(self, p_shape: Shape, axis: int, dtype: Any) -> None:
        self.axis = axis

    def forward(self, p: Any, index: Any) -> float:
        picked = np.take_along_axis(p, np.maximum(index, 0), self.axis)
        losses = np.log(np.maximum(picked, SMALLEST), dtype=np.float64)
        return -float(losses.sum(where=index >= 0))

    def backward(self, p: Any, index: Any, scale: float, dx: Any) -> None:
        factor = p.dtype.type(scale)
        at_index = np.arange(p.shape[self.axis]).reshape(-1, *[1] * (p.ndim - 1 - self.axis)) == index
        np.multiply(p, factor, out=dx)
        np.subtract(dx, factor, out=dx, where=at_index)
        np.copyto(dx, 0, where=index < 0)
