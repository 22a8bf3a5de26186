"""Elementwise non-linearities."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from netcli.arrays.call import Call
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.cuda.launch import Ports, accept, elementwise
from netcli.arrays.layout import Shape, count_of

FORWARD = {"relu": "relu", "elu": "elu", "sigmoid": "sigmoid", "tanh": "tanh_of"}


class Activation:
    """See `Ops.activation`."""

    def __init__(self, card: CudaDevice, kind: str, shape: Shape, alpha: float, dtype: Any) -> None:
        accept(dtype)
        self._card, self._kind, self._shape, self._dtype = card, kind, shape, dtype
        self._numbers = (alpha, count_of(shape)) if kind in ("relu", "elu") else (count_of(shape),)
        self._ports = Ports(card, shape, dtype)
        self._forward = self._call(FORWARD[kind], 1)

    def _call(self, name: str, reads: int) -> Call:
        ports = (*[self._ports.read] * reads, self._ports.written)
        return elementwise(self._card, "activation", name, self._shape, self._dtype, ports)

    @cached_property
    def _backward(self) -> Call:
        return self._call(f"{self._kind}_gradient", 3 if self._kind == "elu" else 2)

    def forward(self, x: Any, y: Any) -> None:
        self._forward.run((x, y), *self._numbers)

    def backward(self, x: Any, y: Any, dy: Any, dx: Any) -> None:
        # What the slope is found from: ReLU by x, ELU by both, the others by y.
        at = {"relu": (x,), "elu": (x, y)}.get(self._kind, (y,))
        self._backward.run((*at, dy, dx), *self._numbers)
