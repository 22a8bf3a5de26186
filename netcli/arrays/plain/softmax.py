"""Softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays.layout import Shape, count_of
from netcli.arrays.work_space import Calls, WorkSpace


class Softmax:
    """See `Ops.softmax`."""

    def __init__(self, x_shape: Shape, axis: int, dtype: Any) -> None:
        self.axis = axis
        self._nbytes = np.dtype(dtype).itemsize * count_of(x_shape)

    def forward(self, x: Any, y: Any) -> None:
        np.subtract(x, x.max(self.axis, keepdims=True), out=y)
        np.exp(y, out=y)
        y /= y.sum(self.axis, keepdims=True)

    def backward(self, y: Any, dy: Any, dx: Any) -> None:
        np.subtract(dy, (dy * y).sum(self.axis, keepdims=True), out=dx)
        dx *= y

    def work_space(self, calls: Calls) -> WorkSpace:
        return WorkSpace(0, self._nbytes * calls.backward)
