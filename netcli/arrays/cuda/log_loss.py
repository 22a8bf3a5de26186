"""The logarithmic loss of probabilities; its sum stays on the card."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from netcli.arrays.call import Call
from netcli.arrays.cuda.classes import around
from netcli.arrays.cuda.device import THREADS, CudaDevice
from netcli.arrays.cuda.launch import Ports, accept
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.ops import SMALLEST
from netcli.arrays.varying import Varying
from netcli.arrays.work_space import Calls, WorkSpace

PARTS = 1024  # at most, of the items; a block adds up a part


class LogLoss:
    """See `Ops.log_loss`."""

    def __init__(self, card: CudaDevice, p_shape: Shape, axis: int, dtype: Any) -> None:
        accept(dtype)
        self._card, self._dtype, self._count = card, np.dtype(dtype), count_of(p_shape)
        outer, *sizes = around(p_shape, axis)
        self._sizes, self._items = tuple(sizes), outer * sizes[1]
        self._parts = max(1, min(PARTS, -(-self._items // THREADS)))
        self._p = Ports(card, p_shape, dtype)
        self._index = Ports(card, (*p_shape[:axis], 1, *p_shape[axis + 1 :]), np.int64).read
        losses = card.kernel("log_loss", "losses", dtype, rows=self._parts, wide=self._count)
        self._losses = Call(losses, (self._p.read, self._index))
        self._total = card.kernel("log_loss", "total", dtype, rows=1, wide=self._count)

    @cached_property
    def _backward(self) -> Call:
        kernel = self._card.kernel("log_loss", "log_loss_gradient", self._dtype, items=self._count)
        return Call(kernel, (self._p.read, self._index, self._p.written))

    @cached_property
    def _partial(self) -> Any:
        return self._card.empty(self._parts, np.float64)

    @cached_property
    def _loss(self) -> Any:
        return self._card.zeros(1, self._dtype).reshape(())

    @cached_property
    def _scale(self) -> Varying:
        return Varying(0, self._dtype, self._card)

    def forward(self, p: Any, index: Any) -> Any:
        """The card's array without axes, in the type of p."""
        self._losses.run((p, index), self._partial, SMALLEST, *self._sizes, self._items, self._parts)
        self._total(self._partial, self._loss, self._parts)
        return self._loss

    def backward(self, p: Any, index: Any, scale: Any, dx: Any) -> None:
        if isinstance(scale, self._card.xp.ndarray):
            self._scale.follow(scale)
        else:
            self._scale.value = scale
        self._backward.run((p, index, dx), self._scale.array, *self._sizes, self._count)

    def work_space(self, _calls: Calls) -> WorkSpace:
        return WorkSpace(8 * self._parts + 2 * self._dtype.itemsize)
