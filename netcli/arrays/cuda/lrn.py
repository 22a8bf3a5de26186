"""Local response normalisation."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from netcli.arrays.call import Call
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.cuda.launch import Ports, accept, elementwise
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.work_space import Calls, WorkSpace


class LRN:
    """See `Ops.lrn`."""

    def __init__(
        self,
        card: CudaDevice,
        x_shape: Shape,
        region: str,
        size: int,
        alpha: float,
        beta: float,
        k: float,
        dtype: Any,
        gradients: bool = True,
    ) -> None:
        accept(dtype)
        self._card, self._shape, self._dtype = card, x_shape, np.dtype(dtype)
        across = region == "across"
        self._scale, self._beta, self._k = alpha / (size if across else size * size), float(beta), float(k)
        self._where = (across, size // 2, *x_shape[2:], x_shape[1], count_of(x_shape))
        self._gradients = gradients
        self._ports = Ports(card, x_shape, dtype)
        self._forward = self._call("lrn", 1)

    def _call(self, name: str, reads: int) -> Call:
        ports = (*[self._ports.read] * reads, self._ports.written)
        return elementwise(self._card, "lrn", name, self._shape, self._dtype, ports)

    @cached_property
    def _backward(self) -> Call:
        return self._call("lrn_gradient", 2)

    @cached_property
    def _kept(self) -> Any:
        """1 / s of each item."""
        return self._card.empty(count_of(self._shape), self._dtype) if self._gradients else None

    def forward(self, x: Any, y: Any) -> None:
        self._forward.run((x, y), self._kept, self._scale, self._k, self._beta, *self._where)

    def backward(self, x: Any, dy: Any, dx: Any) -> None:
        self._backward.run((x, dy, dx), self._kept, self._scale, self._beta, *self._where)

    def work_space(self, _calls: Calls) -> WorkSpace:
        return WorkSpace(self._gradients * count_of(self._shape) * self._dtype.itemsize)
