"""Factors and offsets along some axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays.layout import Shape


class Scale:
    """See `Ops.scale`."""

    def __init__(self, x_shape: Shape, axis: int, end: int, dtype: Any) -> None:
        self.beside = (*x_shape[axis:end], *(1,) * (len(x_shape) - end))  # s as an array that broadcasts against x
        self.axes = list(range(len(x_shape)))
        # Image by image first: in float32 long sums lose digits.
        self.kept = [*self.axes[: min(axis, 1)], *self.axes[axis:end]]
        self.sums_images = axis > 0 and len(x_shape) > 0

    def _summed(self, *arrays: Any) -> Any:
        sums = np.einsum(*(part for array in arrays for part in (array, self.axes)), self.kept)
        return sums.sum(0) if self.sums_images else sums

    def forward(self, x: Any, s: Any, b: Any, y: Any) -> None:
        if s is not None:
            x = np.multiply(x, s.reshape(self.beside), out=y)
        if b is not None:
            np.add(x, b.reshape(self.beside), out=y)
        elif s is None:
            y[...] = x

    def backward(self, x: Any, s: Any, dy: Any, dx: Any, ds: Any, db: Any) -> None:
        if ds is not None:
            ds[...] = self._summed(dy, x)
        if db is not None:
            db[...] = self._summed(dy)
        if dx is not None:
            np.multiply(dy, 1 if s is None else s.reshape(self.beside), out=dx)
