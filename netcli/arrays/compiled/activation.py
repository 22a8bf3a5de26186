"""Exponential linear units, the one non-linearity that oneDNN declines."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from netcli.arrays.call import Call, Port
from netcli.arrays.compiled.compiler import accept, kernel, parts_of
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.unsupported import Unsupported


class Activation:
    """See `Ops.activation`."""

    def __init__(self, kind: str, shape: Shape, alpha: float, dtype: Any) -> None:
        accept(dtype, shape)
        if kind != "elu":
            raise Unsupported(f"there is no kernel for {kind}")
        self._alpha, self._parts = float(alpha), parts_of(count_of(shape))
        self._read, self._written = Port(shape), Port(shape, is_read=False, is_written=True)
        self._forward = Call(kernel("elu", "elu", self._parts), (self._read, self._written))

    @cached_property
    def _backward(self) -> Call:
        return Call(kernel("elu", "gradient", self._parts), (*[self._read] * 3, self._written))

    def forward(self, x: Any, y: Any) -> None:
        self._forward.run((x, y), self._alpha)

    def backward(self, x: Any, y: Any, dy: Any, dx: Any) -> None:
        self._backward.run((x, y, dy, dx), self._alpha)
