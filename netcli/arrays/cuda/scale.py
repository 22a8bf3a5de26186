"""Factors and offsets along some axes."""

from __future__ import annotations

from typing import Any

from netcli.arrays.cuda.along import Along, Sums
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.cuda.launch import Ports, accept, elementwise
from netcli.arrays.layout import Shape
from netcli.arrays.work_space import Calls, WorkSpace


class Scale:
    """See `Ops.scale`."""

    def __init__(self, card: CudaDevice, x_shape: Shape, axis: int, end: int, dtype: Any) -> None:
        accept(dtype)
        self._along = Along(x_shape, axis, end)
        of, of_s = Ports(card, x_shape, dtype), Ports(card, x_shape[axis:end], dtype, channels_last=False)
        ports = (of.read, of_s.maybe_read, of_s.maybe_read, of.written)
        self._forward, self._backward = (
            elementwise(card, "channels", "scale", x_shape, dtype, ports) for _ in range(2)
        )
        self._sums = Sums(card, self._along, x_shape, x_shape[axis:end], dtype)

    def forward(self, x: Any, s: Any, b: Any, y: Any) -> None:
        self._forward.run((x, s, b, y), *self._along.places)

    def backward(self, x: Any, s: Any, dy: Any, dx: Any, ds: Any, db: Any) -> None:
        if ds is not None or db is not None:
            self._sums.run(None if ds is None else x, s, dy, dx, ds, db, slopes=False)
        elif dx is not None:
            self._backward.run((dy, s, None, dx), *self._along.places)

    def work_space(self, calls: Calls) -> WorkSpace:
        return WorkSpace(self._sums.nbytes if calls.backward else 0)
