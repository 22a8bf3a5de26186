"""Local response normalisation across channels, for processors on which oneDNN has loops for it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from netcli.arrays.call import Call, Port
from netcli.arrays.compiled.compiler import accept, kernel, parts_of
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.ops import Unsupported
from netcli.arrays.work_space import Calls, WorkSpace


class LRN:
    """See `Ops.lrn`."""

    def __init__(
        self,
        x_shape: Shape,
        region: str,
        size: int,
        alpha: float,
        beta: float,
        k: float,
        dtype: Any,
        gradients: bool = True,
    ) -> None:
        accept(dtype, x_shape)
        if region != "across" or beta != 0.75:
            raise Unsupported("the kernel is for sums across channels and the power 0.75")
        self._shape, self._parts = x_shape, parts_of(count_of(x_shape))
        self._size, self._scale, self._k = size, alpha / size, float(k)
        self._rows = 0, count_of(x_shape) // x_shape[1]
        self._kept = np.empty(count_of(x_shape) if gradients else 0, np.float32)
        self._forward = Call(kernel("lrn", "normalise", self._parts), (Port(x_shape), self._output))

    @property
    def _output(self) -> Port:
        return Port(self._shape, is_read=False, is_written=True)

    @cached_property
    def _backward(self) -> Call:
        read = Port(self._shape)
        return Call(kernel("lrn", "gradient", self._parts), (read, read, read, self._output))

    def forward(self, x: Any, y: Any) -> None:
        numbers = self._size, self._scale, self._k, *self._rows
        self._forward.run((x, y), self._kept, self._shape[1], *numbers)

    def backward(self, x: Any, y: Any, dy: Any, dx: Any) -> None:
        self._backward.run((x, y, dy, dx), self._kept, self._shape[1], self._size, self._scale, *self._rows)

    def work_space(self, _calls: Calls) -> WorkSpace:
        return WorkSpace(self._kept.nbytes)
