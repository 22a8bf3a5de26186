"""Weighted sums."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from netcli.arrays.layout import Shape
from netcli.arrays.onednn import constants as dnnl
from netcli.arrays.onednn.descriptors import Operation, accept, activation, fast
from netcli.arrays.onednn.program import Program


class Sum:
    """See `Ops.sum`."""

    def __init__(self, shape: Shape, coefficients: Sequence[float], dtype: Any) -> None:
        accept(dtype, shape)
        layout, count = activation(shape), len(coefficients)
        factors = (ctypes.c_float * count)(*coefficients)
        operation = fast(Operation("sum", layout, count, factors, [layout] * count))
        self._program = Program()
        xs = {dnnl.ARG_MULTIPLE_SRC + i: self._program.port(layout) for i in range(count)}
        self._program.execute(operation, xs, {dnnl.ARG_DST: self._program.output(layout)})

    def forward(self, xs: Sequence[Any], y: Any) -> None:
        self._program.run(*xs, y)
