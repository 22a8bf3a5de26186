"""The largest of several arrays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from netcli.arrays.call import Call, Port
from netcli.arrays.compiled.compiler import accept, kernel, parts_of
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.unsupported import Unsupported
from netcli.arrays.work_space import Calls, WorkSpace

MOST = 256  # arrays, whose numbers are kept in a byte


class Maximum:
    """See `Ops.maximum`."""

    def __init__(self, shape: Shape, count: int, dtype: Any) -> None:
        accept(dtype, shape)
        if count > MOST:
            raise Unsupported(f"more than {MOST} arrays do not come up")
        self._count, self._size, self._parts = count, count_of(shape), parts_of(count_of(shape))
        self._read, self._written = Port(shape), Port(shape, is_read=False, is_written=True)
        summed = Port(shape, is_written=True)
        self._first = Call(self._kernel("of_two"), (self._read, self._read, self._written))
        # A call of its own for each array, so that none looks at another's.
        self._others = [Call(self._kernel("of_more"), (self._read, summed)) for _ in range(2, count)]

    def _kernel(self, name: str) -> Any:
        return kernel("maximum", name, self._parts)

    @cached_property
    def _winner(self) -> Any:
        return np.empty(self._size, np.uint8)

    @cached_property
    def _gradients(self) -> list[Call]:
        return [Call(self._kernel("gradient"), (self._read, self._written)) for _ in range(self._count)]

    def forward(self, xs: Sequence[Any], y: Any) -> None:
        self._first.run((xs[0], xs[1], y), self._winner)
        for number, (call, x) in enumerate(zip(self._others, xs[2:], strict=True), 2):
            call.run((x, y), self._winner, number)

    def backward(self, dy: Any, dxs: Sequence[Any]) -> None:
        for number, (call, dx) in enumerate(zip(self._gradients, dxs, strict=True)):
            if dx is not None:
                call.run((dy, dx), self._winner, number)

    def work_space(self, calls: Calls) -> WorkSpace:
        return WorkSpace(self._size)
