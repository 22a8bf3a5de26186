"""Weighted sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netcli.arrays.layout import Shape, count_of
from netcli.arrays.plain.activation import Activation
from netcli.arrays.work_space import Calls, WorkSpace


class Sum:
    """See `Ops.sum`."""

    def __init__(self, shape: Shape, coefficients: Sequence[float], dtype: Any, relu: float | None = None) -> None:
        self.coefficients = coefficients
        self._nbytes = np.dtype(dtype).itemsize * count_of(shape)
        self.relu = None if relu is None else Activation("relu", shape, relu, dtype)

    def forward(self, xs: Sequence[Any], y: Any) -> None:
        np.multiply(xs[0], self.coefficients[0], out=y)
        for x, coefficient in zip(xs[1:], self.coefficients[1:], strict=True):
            y += x if coefficient == 1 else coefficient * x
        if self.relu is not None:
            self.relu.forward(y, y)

    def work_space(self, _calls: Calls) -> WorkSpace:
        return WorkSpace(0, self._nbytes * any(coefficient != 1 for coefficient in self.coefficients[1:]))
