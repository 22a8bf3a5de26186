"""Softmax of few items, which is done before another thread is awake, and of few classes."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from netcli.arrays.call import Call, Port
from netcli.arrays.compiled.along import side_by_side
from netcli.arrays.compiled.compiler import accept, kernel, parts_of
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.unsupported import Unsupported

FEW = 4096  # items; measured, oneDNN on two quiet threads takes as long
FEW_CLASSES = 4  # in images of any size, where oneDNN takes 1.2 to 4 times as long


class Softmax:
    """See `Ops.softmax`."""

    def __init__(self, x_shape: Shape, axis: int, dtype: Any) -> None:
        accept(dtype, x_shape)
        self._classes = x_shape[axis]
        if count_of(x_shape) > FEW and self._classes > FEW_CLASSES:
            raise Unsupported(f"more than {FEW} items of more than {FEW_CLASSES} classes are for oneDNN")
        side_by_side(x_shape, axis)
        self._parts = parts_of(count_of(x_shape))
        self._read, self._written = Port(x_shape), Port(x_shape, is_read=False, is_written=True)
        self._forward = Call(kernel("softmax", "softmax", self._parts), (self._read, self._written))

    @cached_property
    def _backward(self) -> Call:
        return Call(kernel("softmax", "gradient", self._parts), (self._read, self._read, self._written))

    def forward(self, x: Any, y: Any) -> None:
        self._forward.run((x, y), self._classes)

    def backward(self, y: Any, dy: Any, dx: Any) -> None:
        self._backward.run((y, dy, dx), self._classes)
