"""Convolution with one channel to a group, by kernels of its own: there is too little in a group for a product."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from netcli.arrays.cuda.column_sums import Parts
from netcli.arrays.cuda.device import CudaDevice, Kernel
from netcli.arrays.cuda.products import Geometry
from netcli.arrays.cuda.reorder import Reordered
from netcli.arrays.work_space import Calls, WorkSpace


class Depthwise:
    """As `products.Products`; its filters are reordered as (cells, M)."""

    def __init__(self, card: CudaDevice, of: Geometry, dtype: Any, bf16: bool) -> None:
        self._card, self._of, self._dtype = card, of, np.dtype(dtype)
        self._filters = of.group * of.filters
        self.reordered = Reordered(card, "filters", 1, self._filters, of.cells, dtype)
        self._numbers = (of.axes, bf16)
        self._of_filters = (of.cells, self._filters, of.filters)
        self._largest = max(of.pixels * of.group, of.positions * self._filters)
        self._parts = Parts(card, of.positions, self._filters * of.cells, dtype)

    @cached_property
    def _sizes(self) -> Any:
        return self._of.sizes(self._card)

    def _kernel(self, name: str, **work: int) -> Kernel:
        return self._card.kernel("depthwise", name, self._dtype, wide=self._largest, **work)

    @cached_property
    def _forward(self) -> Kernel:
        return self._kernel("depthwise", items=self._of.positions * self._filters)

    @cached_property
    def _data(self) -> Kernel:
        return self._kernel("depthwise_data", items=self._of.pixels * self._of.group)

    @cached_property
    def _weights(self) -> Kernel:
        return self._kernel("depthwise_weights", rows=self._parts.rows)

    def forward(self, x: Any, w: Any, y: Any, b: Any) -> bool:
        self._forward(x, w, y, self._sizes, *self._numbers, self._of.positions, *self._of_filters)
        return False

    def backward_data(self, dy: Any, w: Any, dx: Any) -> None:
        self._data(dy, w, dx, self._sizes, *self._numbers, self._of.pixels, *self._of_filters)

    def backward_weights(self, x: Any, dy: Any, dw: Any, add: bool) -> None:
        parts = self._parts
        how = (self._sizes, *self._numbers, self._of.positions, *self._of_filters)
        self._weights(x, dy, parts.memory, *how, parts.size, parts.number)
        parts.sum(dw, add)

    def work_space(self, calls: Calls) -> WorkSpace:
        return WorkSpace(self._parts.nbytes * calls.weights, self.reordered.nbytes)
