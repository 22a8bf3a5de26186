"""Slopes below zero."""

from __future__ import annotations

from typing import Any

from netcli.arrays.call import Call
from netcli.arrays.cuda.along import Along, Sums
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.cuda.launch import Ports, accept, elementwise
from netcli.arrays.layout import Shape
from netcli.arrays.work_space import Calls, WorkSpace


class PReLU:
    """See `Ops.prelu`."""

    def __init__(self, card: CudaDevice, x_shape: Shape, shared: bool, dtype: Any) -> None:
        accept(dtype)
        end = 1 if shared else 2
        self._along = Along(x_shape, 1, end)
        of, of_a = Ports(card, x_shape, dtype), Ports(card, x_shape[1:end], dtype)

        def call(name: str, *ports: Any) -> Call:
            return elementwise(card, "channels", name, x_shape, dtype, ports)

        self._forward = call("slopes", of.read, of_a.read, of.written)
        self._backward = call("slopes_gradient", of.read, of_a.read, of.read, of.written)
        self._sums = Sums(card, self._along, x_shape, x_shape[1:end], dtype)

    def forward(self, x: Any, a: Any, y: Any) -> None:
        self._forward.run((x, a, y), *self._along.places)

    def backward(self, x: Any, a: Any, dy: Any, dx: Any, da: Any) -> None:
        if da is not None:
            self._sums.run(x, a, dy, dx, da, None, slopes=True)
        elif dx is not None:
            self._backward.run((x, a, dy, dx), *self._along.places)

    def work_space(self, calls: Calls) -> WorkSpace:
        return WorkSpace(self._sums.nbytes if calls.backward else 0)
