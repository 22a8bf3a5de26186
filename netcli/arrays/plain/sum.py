"""Weighted sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netcli.arrays.layout import Shape
from netcli.arrays.plain.activation import Activation


class Sum:
    """See `Ops.sum`."""

    def __init__(self, shape: Shape, coefficients: Sequence[float], dtype: Any, relu: float | None = None) -> None:
        self.coefficients = coefficients
        self.relu = None if relu is None else Activation("relu", shape, relu, dtype)

    def forward(self, xs: Sequence[Any], y: Any) -> None:
        np.multiply(xs[0], self.coefficients[0], out=y)
        for x, coefficient in zip(xs[1:], self.coefficients[1:], strict=True):
            y += x if coefficient == 1 else coefficient * x
        if self.relu is not None:
            self.relu.forward(y, y)
