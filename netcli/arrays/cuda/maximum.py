"""The largest of several arrays: four by a kernel, then three more at a time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from netcli.arrays.call import Call
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.cuda.launch import Ports, accept
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.work_space import Calls, WorkSpace

MOST = 4  # arrays that a kernel reads, or writes
FEW = 256  # arrays, whose numbers are kept in a byte


class Maximum:
    """See `Ops.maximum`."""

    def __init__(self, card: CudaDevice, shape: Shape, count: int, dtype: Any) -> None:
        accept(dtype)
        self._card, self._dtype, self._size = card, dtype, count_of(shape)
        self._kind = np.dtype(np.uint8 if count <= FEW else np.int32)
        of = Ports(card, shape, dtype)
        self._forward = Call(self._find, (*[of.read] * count, of.written))
        self._backward = Call(self._share, (of.read, *[of.maybe_written] * count))

    @cached_property
    def _winner(self) -> tuple[Any, Any]:
        """The number of the array that each item is from: in bytes or in four of them, and None for the other."""
        memory = self._card.empty(self._size, self._kind)
        return (memory, None) if self._kind == np.uint8 else (None, memory)

    def _kernel(self, name: str) -> Any:
        return self._card.kernel("maximum", name, self._dtype, items=self._size)

    @cached_property
    def _maximum(self) -> Any:
        return self._kernel("maximum")

    @cached_property
    def _gradient(self) -> Any:
        return self._kernel("maximum_gradient")

    def _find(self, first: Any, *others: Any) -> None:
        *xs, y = others
        for at in range(0, len(xs), MOST - 1):
            some = xs[at : at + MOST - 1]
            some += [None] * (MOST - 1 - len(some))
            self._maximum(y if at else first, *some, y, *self._winner, at + 1, self._size)

    def _share(self, dy: Any, *dxs: Any) -> None:
        for at in range(0, len(dxs), MOST):
            some = dxs[at : at + MOST]
            if any(dx is not None for dx in some):
                self._gradient(dy, *some, *[None] * (MOST - len(some)), *self._winner, at, self._size)

    def forward(self, xs: Sequence[Any], y: Any) -> None:
        self._forward.run((*xs, y))

    def backward(self, dy: Any, dxs: Sequence[Any]) -> None:
        self._backward.run((dy, *dxs))

    def work_space(self, _calls: Calls) -> WorkSpace:
        return WorkSpace(self._size * self._kind.itemsize)
