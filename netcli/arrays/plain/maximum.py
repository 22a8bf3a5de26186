"""The largest of several arrays, item by item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netcli.arrays.layout import Shape, count_of, view
from netcli.arrays.work_space import Calls, WorkSpace


class Maximum:
    """See `Ops.maximum`."""

    def __init__(self, shape: Shape, count: int, dtype: Any) -> None:
        # The number of the array that each item is from, in as few bytes as will do.
        memory = np.empty(count_of(shape), np.min_scalar_type(count))
        self._winner = view(memory, shape, channels_last=True)

    def forward(self, xs: Sequence[Any], y: Any) -> None:
        winner = self._winner
        np.less_equal(xs[0], xs[1], out=winner, casting="unsafe")
        np.maximum(xs[0], xs[1], out=y)
        for number, x in enumerate(xs[2:], 2):
            # Numbers rise, so the last array that was greater is the largest number.
            np.maximum(winner, (x > y) * winner.dtype.type(number), out=winner)
            np.maximum(x, y, out=y)

    def backward(self, dy: Any, dxs: Sequence[Any]) -> None:
        for number, dx in enumerate(dxs):
            if dx is not None:
                np.multiply(dy, self._winner == number, out=dx)

    def work_space(self, calls: Calls) -> WorkSpace:
        return WorkSpace(self._winner.nbytes)
