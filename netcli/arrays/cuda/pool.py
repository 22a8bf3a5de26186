"""Max and average pooling; a maximum leaves to the gradient which cell it was, mostly in a byte."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from netcli.arrays.call import Call
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.cuda.windows import Windows
from netcli.arrays.layout import Shape, count_of, view
from netcli.arrays.work_space import Calls, WorkSpace


class Pool:
    """See `Ops.pool`."""

    def __init__(
        self,
        card: CudaDevice,
        x_shape: Shape,
        y_shape: Shape,
        method: str,
        kernel: Shape,
        stride: Shape,
        pad: Shape,
        mask: bool,
        dtype: Any,
        gradients: bool = True,
    ) -> None:
        self._windows = windows = Windows(card, x_shape, y_shape, kernel, stride, pad, dtype, mask)
        self._card, self._y_shape, self._is_max = card, y_shape, method == "max"
        self._keeps = self._is_max and (gradients or mask)
        self._lowest = (np.finfo(dtype).min,) if self._is_max else ()
        name = ("maximum_and_place" if windows.places else "maximum") if self._is_max else "average"
        self._forward = windows.call("pool", name, windows.x.read, windows.y.written, packs=True)

    @cached_property
    def _backward(self) -> Call:
        windows = self._windows
        if self._is_max:
            return windows.spread()
        return windows.call("pool", "to_average", windows.y.read, windows.x.written, packs=True)

    @cached_property
    def _cells(self) -> tuple[Any, ...]:
        """What kernels are told of the cells that were maxima, and keep there; None: nothing."""
        if not self._is_max:
            return ()
        return (self._card.empty(count_of(self._y_shape), self._windows.cell_dtype) if self._keeps else None,)

    def forward(self, x: Any, y: Any) -> None:
        self._forward.run((x, y), *self._cells, *self._lowest, *self._windows.to_y)

    def backward(self, dy: Any, dx: Any) -> None:
        self._backward.run((dy, dx), *self._cells, *self._windows.to_x)

    def work_space(self, _calls: Calls) -> WorkSpace:
        return WorkSpace(self._keeps * count_of(self._y_shape) * self._windows.cell_dtype.itemsize)

    @property
    def mask(self) -> Any:
        """See `Ops.pool`; -1 for a window without a maximum."""
        return view(self._cells[0], self._y_shape, channels_last=True)
