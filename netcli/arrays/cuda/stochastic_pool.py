"""Stochastic pooling; the draws are those of `random.words`, made where they are used."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from netcli.arrays.call import Call
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.cuda.draws import Keys
from netcli.arrays.cuda.windows import Windows
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.varying import Cell, Number
from netcli.arrays.work_space import Calls, WorkSpace

FILE = "stochastic_pool"


class StochasticPool:
    """See `Ops.stochastic_pool`."""

    def __init__(
        self, card: CudaDevice, x_shape: Shape, y_shape: Shape, kernel: Shape, stride: Shape, dtype: Any
    ) -> None:
        self._windows = Windows(card, x_shape, y_shape, kernel, stride, (0, 0), dtype)
        self._card, self._count, self._dtype = card, count_of(y_shape), np.dtype(dtype)
        self._keys, self._major = Keys(card), Cell(card, np.uint64)

    @cached_property
    def _cells(self) -> Any:
        """Which cell of each window was drawn."""
        return self._card.empty(self._count, self._windows.cell_dtype)

    @cached_property
    def _totals(self) -> Any:
        """The sum of each window."""
        return self._card.empty(self._count, self._dtype)

    @cached_property
    def _forward(self) -> Call:
        windows = self._windows
        return windows.call(FILE, "draw_place" if windows.places else "draw", windows.x.read, windows.y.written)

    @cached_property
    def _backward(self) -> Call:
        return self._windows.spread()

    @cached_property
    def _mean(self) -> Call:
        return self._windows.call(FILE, "mean", self._windows.x.read, self._windows.y.written)

    @cached_property
    def _mean_backward(self) -> Call:
        x, y = self._windows.x, self._windows.y
        return self._windows.call(FILE, "mean_gradient", x.read, y.read, y.read, x.written)

    def forward(self, x: Any, y: Any, seed: int, purpose: str, major: Number) -> None:
        drawn_with = (self._keys.array(seed, purpose), self._major.array(major))
        self._forward.run((x, y), self._cells, *drawn_with, *self._windows.to_y)

    def backward(self, dy: Any, dx: Any) -> None:
        self._backward.run((dy, dx), self._cells, *self._windows.to_x)

    def mean(self, x: Any, y: Any) -> None:
        self._mean.run((x, y), self._totals, *self._windows.to_y)

    def mean_backward(self, x: Any, y: Any, dy: Any, dx: Any) -> None:
        self._mean_backward.run((x, y, dy, dx), self._totals, *self._windows.to_x)

    def work_space(self, _calls: Calls) -> WorkSpace:
        # Cells by draws, sums by means.
        return WorkSpace(self._count * (self._windows.cell_dtype.itemsize + self._dtype.itemsize))
