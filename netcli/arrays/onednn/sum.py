"""Weighted sums."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from netcli.arrays.layout import Shape
from netcli.arrays.onednn import constants as dnnl
from netcli.arrays.onednn.descriptors import Attributes, Operation, accept, activation, fast
from netcli.arrays.onednn.program import Program
from netcli.arrays.unsupported import Unsupported

MOST = 32  # summands: a primitive does so many things to a result


class Sum:
    """See `Ops.sum`."""

    def __init__(self, shape: Shape, coefficients: Sequence[float], dtype: Any, relu: float | None = None) -> None:
        accept(dtype, shape)
        layout, count = activation(shape), len(coefficients)
        if 1 < count <= MOST and set(coefficients) == {1}:
            # In one pass, and faster than oneDNN's sum: by a third to a half where arrays come from the cache.
            more = [layout] * (count - 2)
            operation = fast(
                Operation(
                    "binary", dnnl.BINARY_ADD, layout, layout, layout, attributes=Attributes(plus=more, relu=relu)
                )
            )
            arguments = [dnnl.ARG_SRC, dnnl.ARG_SRC_1, *operation.after]
        elif relu is None:
            factors = (ctypes.c_float * count)(*coefficients)
            operation = fast(Operation("sum", layout, count, factors, [layout] * count))
            arguments = [dnnl.ARG_MULTIPLE_SRC + i for i in range(count)]
        else:
            raise Unsupported(f"oneDNN does a ReLU with a sum of up to {MOST} without coefficients alone")
        self._program = Program()
        xs = {number: self._program.port(layout) for number in arguments}
        self._program.execute(operation, xs, {dnnl.ARG_DST: self._program.output(layout)})

    def forward(self, xs: Sequence[Any], y: Any) -> None:
        self._program.run(*xs, y)
