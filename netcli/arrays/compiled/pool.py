"""Max and average pooling, for windows and masks that oneDNN does not take."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from netcli.arrays.call import Call, Port
from netcli.arrays.compiled import compiler
from netcli.arrays.layout import Shape, count_of, view
from netcli.arrays.unsupported import Unsupported
from netcli.arrays.work_space import Calls, WorkSpace


class Pool:
    """See `Ops.pool`."""

    def __init__(
        self,
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
        compiler.accept(dtype, x_shape, y_shape)
        if count_of(x_shape[2:]) > np.iinfo(np.int32).max:
            raise Unsupported("places in so large an image are no 32-bit numbers")
        self._x_shape, self._y_shape = x_shape, y_shape
        self._images, channels, height, width = x_shape
        self._size = (height, width, channels, *y_shape[2:])
        self._window = (*kernel, *stride, *pad)
        self._parts = compiler.parts_of(max(count_of(x_shape), count_of(y_shape)))
        self._is_max = method == "max"
        self._places: tuple[Any, ...] = (np.empty(count_of(y_shape), np.int32),) if self._is_max else ()
        self._forward = self._call("maximum" if self._is_max else "average", x_shape, y_shape)

    def _call(self, name: str, source: Shape, target: Shape) -> Call:
        ports = Port(source), Port(target, is_read=False, is_written=True)
        return Call(compiler.kernel("pool", name, self._parts), ports)

    @cached_property
    def _backward(self) -> Call:
        return self._call("to_maximum" if self._is_max else "to_average", self._y_shape, self._x_shape)

    def forward(self, x: Any, y: Any) -> None:
        lines = self._images * self._y_shape[2]
        self._forward.run((x, y), *self._places, self._size, self._window, 0, lines)

    def backward(self, dy: Any, dx: Any) -> None:
        window = () if self._is_max else (self._window,)
        self._backward.run((dy, dx), *self._places, self._size, *window, 0, self._images)

    def work_space(self, _calls: Calls) -> WorkSpace:
        return WorkSpace(sum(places.nbytes for places in self._places))

    @property
    def mask(self) -> Any:
        """See `Ops.pool`; -1 for a window without a maximum."""
        return view(self._places[0], self._y_shape, channels_last=True)
