"""Weighted sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netcli.arrays.layout import Shape


class Sum:
    """See `Ops.sum`."""

    def __init__(self, shape: Shape, coefficients: Sequence[float], dtype: Any) -> None:
        self.coefficients = coefficients

    def forward(self, xs: Sequence[Any], y: Any) -> None:
        np.multiply(xs[0], self.coefficients[0], out=y)
        for x, coefficient in zip(xs[1:], self.coefficients[1:], strict=True):
            y += x if coefficient == 1 else coefficient * x
