"""Softmax."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from netcli.arrays.call import Call
from netcli.arrays.cuda.classes import around
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.cuda.launch import Ports, accept
from netcli.arrays.layout import Shape, count_of

FEW, MANY = 16, 1024  # classes up to which a thread goes over them, and from which on a block
WARP = 32


class Softmax:
    """See `Ops.softmax`."""

    def __init__(self, card: CudaDevice, x_shape: Shape, axis: int, dtype: Any) -> None:
        accept(dtype)
        self._card, self._dtype, self._count = card, dtype, count_of(x_shape)
        self._ports = Ports(card, x_shape, dtype)
        outer, classes, inner = around(x_shape, axis)
        items, work = outer * inner, "items"
        if inner > 1 or classes <= FEW:
            self._who, each = "threads", 1
        elif classes < MANY:
            self._who, each = "warps", WARP
        else:
            self._who, each, work = "blocks", 1, "rows"
        self._work = {work: items * each}
        self._sizes = (classes, inner, items) if self._who == "threads" else (classes, items)
        self._forward = self._call("softmax", 1)

    def _call(self, name: str, reads: int) -> Call:
        kernel = self._card.kernel("softmax", f"{name}_{self._who}", self._dtype, wide=self._count, **self._work)
        return Call(kernel, (*[self._ports.read] * reads, self._ports.written))

    @cached_property
    def _backward(self) -> Call:
        return self._call("gradient", 2)

    def forward(self, x: Any, y: Any) -> None:
        self._forward.run((x, y), *self._sizes)

    def backward(self, y: Any, dy: Any, dx: Any) -> None:
        self._backward.run((y, dy, dx), *self._sizes)
