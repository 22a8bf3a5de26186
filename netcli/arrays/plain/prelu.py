"""Slopes below zero.

He et al., "Delving Deep into Rectifiers", ICCV 2015, arXiv:1502.01852.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays.layout import Shape, count_of
from netcli.arrays.work_space import Calls, WorkSpace


class PReLU:
    """See `Ops.prelu`."""

    def __init__(self, x_shape: Shape, shared: bool, dtype: Any) -> None:
        self.beside = () if shared else (-1, *(1,) * (len(x_shape) - 2))  # a as an array that broadcasts against x
        self.kept = (0,) if shared else (0, 1)
        self._nbytes = np.dtype(dtype).itemsize * count_of(x_shape)

    def forward(self, x: Any, a: Any, y: Any) -> None:
        work = np.minimum(x, 0)
        work *= a.reshape(self.beside)
        np.maximum(x, 0, out=y)
        y += work

    def backward(self, x: Any, a: Any, dy: Any, dx: Any, da: Any) -> None:
        if da is not None:  # before dx, which may lie over dy
            work = np.minimum(x, 0)
            work *= dy
            # Image by image first: in float32 one long sum loses digits.
            da[...] = work.sum(tuple(i for i in range(x.ndim) if i not in self.kept)).sum(0)
        if dx is not None:
            # dx = positive + a * (dy - positive), positive = dy where x > 0: sums are six times as fast as a choice
            # by mask, and as exact with one of the two always 0.
            work = np.multiply(dy, x > 0)
            np.subtract(dy, work, out=dx)
            dx *= a.reshape(self.beside)
            dx += work

    def work_space(self, _calls: Calls) -> WorkSpace:
        return WorkSpace(0, self._nbytes)
