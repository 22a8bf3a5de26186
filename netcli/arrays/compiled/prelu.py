"""Slopes below zero."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from netcli.arrays.call import Call, Port
from netcli.arrays.compiled.along import sizes
from netcli.arrays.compiled.compiler import accept, kernel, parts_of
from netcli.arrays.layout import Shape, count_of


class PReLU:
    """See `Ops.prelu`."""

    def __init__(self, x_shape: Shape, shared: bool, dtype: Any) -> None:
        accept(dtype, x_shape)
        channels, inner, _, first, rows = sizes(x_shape, 1, 1 if shared else 2)
        self._sizes = channels, inner, first, rows
        self._shape, self._parts = x_shape, parts_of(count_of(x_shape))
        self._slope = Port(() if shared else x_shape[1:2])
        self._read, self._written = Port(x_shape), Port(x_shape, is_read=False, is_written=True)
        forward = kernel("channels", "slopes", self._parts)
        self._forward = Call(forward, (self._read, self._slope, self._written))

    @cached_property
    def _backward(self) -> Call:
        backward = kernel("channels", "slopes_gradient", self._parts)
        return Call(backward, (self._read, self._slope, self._read, self._written))

    @cached_property
    def _nowhere(self) -> Any:
        return np.empty(self._shape, np.float32)

    def forward(self, x: Any, a: Any, y: Any) -> None:
        self._forward.run((x, a, y), *self._sizes)

    def backward(self, x: Any, a: Any, dy: Any, dx: Any, da: Any) -> None:
        sums = np.zeros((self._parts, self._sizes[0]))
        into = sums if self._parts > 1 else sums[0]
        self._backward.run((x, a, dy, self._nowhere if dx is None else dx), into, *self._sizes)
        if da is not None:
            da[...] = sums.sum(0).reshape(da.shape)
