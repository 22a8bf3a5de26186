"""Stochastic pooling.

Zeiler & Fergus, "Stochastic Pooling for Regularization of Deep Convolutional Neural Networks", ICLR 2013,
arXiv:1301.3557.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from netcli.arrays import random
from netcli.arrays.layout import Shape, count_of, view
from netcli.arrays.plain.pool import Line
from netcli.arrays.work_space import Calls, WorkSpace


class StochasticPool:
    """See `Ops.stochastic_pool`.

    Cells are visited one after the other, for all windows at once, in row order: running sums are Caffe's.
    """

    def __init__(self, x_shape: Shape, y_shape: Shape, kernel: Shape, stride: Shape, dtype: Any) -> None:
        self.y_shape = y_shape
        self.high, self.wide = (Line(2 + i, x_shape[2 + i], y_shape[2 + i], kernel[i], stride[i], 0) for i in range(2))
        self.kernel_width = kernel[1]
        self.total, self.running = self._memory(dtype), self._memory(dtype)
        self.found = self._memory(np.bool_)
        self.drawn = self._memory(np.uint16 if count_of(kernel) < 1 << 16 else np.int64)  # from 1; 0: no cell

    def _memory(self, dtype: Any) -> Any:
        return view(np.empty(count_of(self.y_shape), dtype), self.y_shape, channels_last=True)

    def _cells(self) -> Iterator[tuple[int, Any, Any, Any, Any]]:
        """Each cell of the window in row order: its number from 1, the windows that have it and the items it is,
        each along the height and along the width."""
        for row, windows_high, items_high in self.high.cells:
            for column, windows_wide, items_wide in self.wide.cells:
                number = (row - 1) * self.kernel_width + column
                yield number, windows_high, windows_wide, items_high, items_wide

    def _sum(self, x: Any) -> None:
        self.total.fill(0)
        for _, ph, pw, h, w in self._cells():
            self.total[ph][pw] += x[h][w]

    def _thresholds(self, seed: int, purpose: str, major: int) -> None:
        """Into `total`: the share of it that the running sum has to reach."""
        count = count_of(self.y_shape)
        words = random.words(seed, purpose, major, 0, -(-count // random.WORDS)).reshape(-1)[:count]
        # 1 - u: in (0, 1] as on Caffe's GPU, so that a cell that holds 0 is drawn only where all do.
        self.total *= (1 - random.unit(words)).astype(self.total.dtype).reshape(self.y_shape)

    def forward(self, x: Any, y: Any, seed: int, purpose: str, major: int) -> None:
        self._sum(x)
        self._thresholds(seed, purpose, major)
        y.fill(0)
        for memory in (self.running, self.drawn, self.found):
            memory.fill(0)
        for number, ph, pw, h, w in self._cells():
            value, found = x[h][w], self.found[ph][pw]
            # Who has found none yet takes this one, and so the last where the sum is never reached.
            np.copyto(y[ph][pw], value, where=~found)
            np.copyto(self.drawn[ph][pw], number, where=~found)
            running = self.running[ph][pw]
            running += value
            found |= running >= self.total[ph][pw]

    def backward(self, dy: Any, dx: Any) -> None:
        dx.fill(0)
        for number, ph, pw, h, w in self._cells():
            dx[h][w] += dy[ph][pw] * (self.drawn[ph][pw] == number)

    def work_space(self, _calls: Calls) -> WorkSpace:
        return WorkSpace(sum(array.nbytes for array in (self.total, self.running, self.found, self.drawn)))

    def mean(self, x: Any, y: Any) -> None:
        self._sum(x)
        y.fill(0)
        for _, ph, pw, h, w in self._cells():
            y[ph][pw] += np.square(x[h][w])
        self._divide(y)

    def _divide(self, y: Any) -> None:
        positive = self.total > 0
        np.divide(y, self.total, out=y, where=positive)
        np.copyto(y, 0, where=~positive)

    def mean_backward(self, x: Any, y: Any, dy: Any, dx: Any) -> None:
        # dy/dx = (2 x - y) / sum(x)
        share = self.running
        share[...] = dy
        self._divide(share)
        dx.fill(0)
        for _, ph, pw, h, w in self._cells():
            dx[h][w] += share[ph][pw] * (2 * x[h][w] - y[ph][pw])
