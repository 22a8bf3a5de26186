"""The length of several arrays taken together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netcli.arrays.call import Call, Port
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.cuda.launch import accept
from netcli.arrays.layout import Shape, count_of

PART = 1 << 14  # items summed by a block at a time
MOST = 1 << 10  # parts of an array; those of a larger one are longer


class Norm:
    """See `Ops.norm`."""

    def __init__(self, card: CudaDevice, shapes: Sequence[Shape], dtype: Any) -> None:
        accept(dtype)
        self._card = card
        self._calls: list[Any] = []  # (kernel, its part of the sums, its numbers) of each; None where it has no items
        taken = 0
        for shape in shapes:
            count = count_of(shape)
            if count:
                size = max(PART, -(-count // MOST))
                number = -(-count // size)
                call = Call(
                    card.kernel("norm", "squares", dtype, rows=number, wide=count),
                    (
                        Port(shape, channels_last=False, dtype=dtype, device=card),
                        Port((number,), is_read=False, is_written=True, dtype=np.float64, device=card),
                    ),
                )
                self._calls.append((call, slice(taken, taken + number), (size, number, count)))
                taken += number
            else:
                self._calls.append(None)
        self._parts_count = taken
        self._root = card.kernel("norm", "root", dtype, rows=1)
        self._memory: Any = None

    def forward(self, xs: Sequence[Any]) -> Any:
        if self._memory is None:
            parts = self._card.zeros(max(1, self._parts_count), np.float64)
            views = [None if call is None else parts[call[1]] for call in self._calls]
            self._memory = parts, views, self._card.zeros(1, np.float64).reshape(())
        parts, views, norm = self._memory
        for x, call, part in zip(xs, self._calls, views, strict=True):
            if call is not None:
                call[0].run((x, part), *call[2])
        self._root(parts, norm, self._parts_count)
        return norm
