"""Factors and offsets along some axes."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from netcli.arrays.call import Call, Port
from netcli.arrays.compiled.along import sizes
from netcli.arrays.compiled.compiler import accept, kernel, parts_of
from netcli.arrays.layout import Shape, count_of


class Scale:
    """See `Ops.scale`."""

    def __init__(self, x_shape: Shape, axis: int, end: int, dtype: Any) -> None:
        accept(dtype, x_shape)
        self._sizes = sizes(x_shape, axis, end)
        self._shape = x_shape[axis:end]
        self._parts = parts_of(count_of(x_shape))
        self._zeros, self._ones = np.zeros(self._shape, dtype), np.ones(self._shape, dtype)
        self._read, self._number = Port(x_shape), Port(self._shape, channels_last=False)
        scale, written = (
            kernel("channels", "scale", self._parts),
            Port(x_shape, is_read=False, is_written=True),
        )
        ports = (self._read, self._number, self._number, written)
        self._forward, self._backward = Call(scale, ports), Call(scale, ports)

    @cached_property
    def _sum(self) -> Call:
        return Call(kernel("channels", "scale_sums", self._parts), (self._read, self._read))

    def forward(self, x: Any, s: Any, b: Any, y: Any) -> None:
        s, b = self._ones if s is None else s, self._zeros if b is None else b
        self._forward.run((x, s, b, y), *self._sizes)

    def backward(self, x: Any, s: Any, dy: Any, dx: Any, ds: Any, db: Any) -> None:
        if ds is not None or db is not None:
            sums = np.zeros((self._parts, 2, count_of(self._shape)))
            into = sums if self._parts > 1 else sums[0]
            self._sum.run((dy if ds is None else x, dy), into, *self._sizes)
            for number, gradient in enumerate((ds, db)):
                if gradient is not None:
                    gradient[...] = sums[:, number].sum(0).reshape(self._shape)
        if dx is not None:
            self._backward.run((dy, self._ones if s is None else s, self._zeros, dx), *self._sizes)
