"""Arrays from one order of memory to another."""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.layout import Shape, count_of

SIDE = 32  # of the tiles of kernels/transpose.cu


class Transposition:
    """(batch, rows, columns) to (batch, columns, rows), of flat arrays."""

    def __init__(self, card: CudaDevice, batch: int, rows: int, columns: int, dtype: Any) -> None:
        tiles = batch * -(-rows // SIDE) * -(-columns // SIDE)
        self._kernel = card.kernel("transpose", "transpose", dtype, rows=tiles, wide=batch * rows * columns)
        self._sizes = (batch, rows, columns)

    def __call__(self, x: Any, y: Any, add: bool = False) -> None:
        self._kernel(x, y, add, *self._sizes)


class Reordered:
    """A flat array of a call in the other order than the one in which it lies, in work memory while the call lasts.

    use: of the work memory
    """

    def __init__(self, card: CudaDevice, use: str, batch: int, rows: int, columns: int, dtype: Any) -> None:
        self._card, self._use, self._dtype = card, use, np.dtype(dtype)
        self._count = batch * rows * columns
        self.is_needed = rows > 1 and columns > 1  # else both orders are the same
        self.nbytes = self._count * self._dtype.itemsize if self.is_needed else 0  # of work memory
        if self.is_needed:
            self._there = Transposition(card, batch, rows, columns, dtype)
            self._back = Transposition(card, batch, columns, rows, dtype)

    def memory(self, flat: Any) -> Any:
        """Where it lies in the other order, before it is written."""
        return self._card.work(self._use, self._count, self._dtype) if self.is_needed else flat

    def read(self, flat: Any) -> Any:
        """It in the other order."""
        memory = self.memory(flat)
        if self.is_needed:
            self._there(flat, memory)
        return memory

    def copy(self, flat: Any, memory: Any) -> None:
        """Put it in the other order into memory of the caller's."""
        if self.is_needed:
            self._there(flat, memory)
        else:
            memory[...] = flat

    def put(self, memory: Any, flat: Any, add: bool = False) -> None:
        """Bring back what was written to `memory`; add: more of it, where `memory` is not the array itself."""
        if self.is_needed:
            self._back(memory, flat, add)


def caffe_order(card: CudaDevice, use: str, shape: Shape, dtype: Any) -> Reordered:
    """An activation in Caffe's order: only 4-D ones lie otherwise (Note [Channels last])."""
    batch, channels, pixels = (shape[0], shape[1], count_of(shape[2:])) if len(shape) == 4 else (1, count_of(shape), 1)
    return Reordered(card, use, batch, pixels, channels, dtype)
