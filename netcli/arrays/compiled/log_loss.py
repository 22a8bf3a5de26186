"""The logarithmic loss of probabilities."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from netcli.arrays.call import Call, Port
from netcli.arrays.compiled.along import side_by_side
from netcli.arrays.compiled.compiler import accept, kernel, parts_of
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.ops import SMALLEST


class LogLoss:
    """See `Ops.log_loss`."""

    def __init__(self, p_shape: Shape, axis: int, dtype: Any) -> None:
        accept(dtype, p_shape)
        side_by_side(p_shape, axis)
        self._classes, self._items = p_shape[axis], count_of(p_shape)
        self._p, self._dx = Port(p_shape), Port(p_shape, is_read=False, is_written=True)
        self._forward = Call(kernel("log_loss", "loss"), (self._p,))

    @cached_property
    def _backward(self) -> Call:
        return Call(kernel("log_loss", "gradient", parts_of(self._items)), (self._p, self._dx))

    def forward(self, p: Any, index: Any) -> float:
        return float(self._forward.run((p,), index.reshape(-1), self._classes, SMALLEST))

    def backward(self, p: Any, index: Any, scale: float, dx: Any) -> None:
        self._backward.run((p, dx), index.reshape(-1), self._classes, float(scale))
