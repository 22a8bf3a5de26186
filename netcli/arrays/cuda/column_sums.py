"""Sums over the rows of a matrix, such as the gradient of biases: the same bits each time."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from netcli.arrays.cuda.device import CudaDevice

WARP = 32
BLOCKS = 8  # for each processor: as many as it holds at a time
LEAST = 64  # rows of a part


class Parts:
    """Sums of columns, found in parts of the rows, each of `size`: `number` of them for each column, in `memory`."""

    def __init__(self, card: CudaDevice, rows: int, columns: int, dtype: Any) -> None:
        tiles = -(-columns // WARP)
        parts = max(1, min(-(-BLOCKS * card.processors // max(1, tiles)), rows // LEAST))
        self.size = max(1, -(-rows // parts))
        self.number = max(1, -(-rows // self.size))
        self.rows = self.number * tiles  # blocks' worth of work to find them
        self.nbytes = 8 * columns * self.number
        self._card, self._columns = card, columns
        self._kernel = card.kernel("column_sums", "column_sums", dtype, items=columns * WARP)

    @cached_property
    def memory(self) -> Any:
        """(columns, number)."""
        return self._card.empty(self._columns * self.number, np.float64)

    def sum(self, y: Any, add: bool) -> None:
        """y (columns,): the sums of the parts; add: more of them."""
        self._kernel(self.memory, y, add, self._columns, self.number)


class ColumnSums:
    """Of flat arrays of `rows` x `columns`; rounds: of items rounded to bfloat16."""

    def __init__(self, card: CudaDevice, rows: int, columns: int, dtype: Any, rounds: bool = False) -> None:
        self._parts = parts = Parts(card, rows, columns, dtype)
        self._sizes = (rounds, rows, columns, parts.size, parts.number)
        self._kernel = card.kernel("column_sums", "part_sums", dtype, rows=parts.rows, wide=rows * columns)
        self.nbytes = parts.nbytes  # of its own memory

    def __call__(self, x: Any, y: Any, add: bool) -> None:
        """y (columns,): the sums; add: more of them."""
        self._kernel(x, self._parts.memory, *self._sizes)
        self._parts.sum(y, add)
