"""Max and average pooling; a maximum leaves to the gradient which cell it was, mostly in a byte."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from netcli.arrays.call import Call
from netcli.arrays.cuda.device import WIDE, CudaDevice
from netcli.arrays.cuda.launch import Ports, accept, packed
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
        accept(dtype)
        self._card, self._dtype, self._is_max = card, np.dtype(dtype), method == "max"
        self._x_shape, self._y_shape = x_shape, y_shape
        self._sizes = (*x_shape[2:], x_shape[1], *y_shape[2:], *kernel, *stride, *pad)
        self._largest = max(count_of(x_shape), count_of(y_shape))
        self._places = mask or count_of(kernel) > 255  # a byte's last number says that there is no maximum
        self._keeps = self._is_max and (gradients or mask)
        place = np.int64 if self._largest >= WIDE else np.int32
        self._kept_dtype = np.dtype(place if self._places else np.uint8)
        names = ("maximum_and_place", "to_place") if self._places else ("maximum", "to_maximum")
        self._names = names if self._is_max else ("average", "to_average")
        self._forward = self._call(self._names[0], x_shape, y_shape)

    def _call(self, name: str, source: Shape, target: Shape) -> Call:
        threads = -(-count_of(target) // packed(target[1]))
        kernel = self._card.kernel("pool", name, self._dtype, items=threads, wide=self._largest)
        read, written = (Ports(self._card, shape, self._dtype) for shape in (source, target))
        return Call(kernel, (read.read, written.written))

    @cached_property
    def _backward(self) -> Call:
        return self._call(self._names[1], self._y_shape, self._x_shape)

    @cached_property
    def _kept(self) -> Any:
        return self._card.empty(count_of(self._y_shape), self._kept_dtype) if self._keeps else None

    def forward(self, x: Any, y: Any) -> None:
        numbers = (self._kept, np.finfo(self._dtype).min) if self._is_max else ()
        self._forward.run((x, y), *numbers, count_of(self._y_shape), *self._sizes)

    def backward(self, dy: Any, dx: Any) -> None:
        kept = (self._kept,) if self._is_max else ()
        self._backward.run((dy, dx), *kept, count_of(self._x_shape), *self._sizes)

    def work_space(self, _calls: Calls) -> WorkSpace:
        return WorkSpace(self._keeps * count_of(self._y_shape) * self._kept_dtype.itemsize)

    @property
    def mask(self) -> Any:
        """See `Ops.pool`; -1 for a window without a maximum."""
        return view(self._kept, self._y_shape, channels_last=True)
