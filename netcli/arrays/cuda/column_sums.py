"""Sums over the rows of a matrix, such as the gradient of biases: the same bits each time."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from netcli.arrays.cuda.device import CudaDevice

WARP = 32
BLOCKS = 8  # for each processor: as many as it holds at a time
LEAST = 64  # rows of a part


class ColumnSums:
    """Of flat arrays of `rows` x `columns`; rounds: of items rounded to bfloat16."""

    def __init__(self, card: CudaDevice, rows: int, columns: int, dtype: Any, rounds: bool = False) -> None:
        tiles = -(-columns // WARP)
        parts = max(1, min(-(-BLOCKS * card.processors // tiles), rows // LEAST))
        size = max(1, -(-rows // parts))
        number = max(1, -(-rows // size))
        self._card, self._columns, self._number = card, columns, number
        self._sizes = (rounds, rows, columns, size, number)
        self._of_parts = card.kernel("column_sums", "part_sums", dtype, rows=number * tiles, wide=rows * columns)
        self._of_all = card.kernel("column_sums", "column_sums", dtype, items=columns * WARP)

    @cached_property
    def _parts(self) -> Any:
        return self._card.empty(self._columns * self._number, np.float64)

    @property
    def nbytes(self) -> int:
        """Of its own memory."""
        return 8 * self._columns * self._number

    def __call__(self, x: Any, y: Any, add: bool) -> None:
        """y (columns,): the sums; add: more of them."""
        self._of_parts(x, self._parts, *self._sizes)
        self._of_all(self._parts, y, add, self._columns, self._number)
