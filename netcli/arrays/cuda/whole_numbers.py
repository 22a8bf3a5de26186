"""Floats that are whole numbers, as indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays.call import Call, Port
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.cuda.launch import accept
from netcli.arrays.layout import Shape, count_of

PART = 4096  # values that a block looks at
MOST = 1 << 10  # parts; those of more values are longer


class WholeNumbers:
    """See `Ops.whole_numbers`."""

    def __init__(self, card: CudaDevice, shape: Shape, limit: int, ignore: int | None, dtype: Any) -> None:
        accept(dtype)
        count = count_of(shape)
        size = max(PART, -(-count // MOST))
        self._number = -(-count // size)
        self.index = card.zeros(count, np.intp).reshape(shape)
        self.ignored = None if ignore is None else card.zeros(count, np.bool_).reshape(shape)
        self.wrong = card.zeros(3, np.float64)
        self._firsts = card.zeros(max(1, self._number), np.float64)

        def port(shape: Shape, **how: Any) -> Port:
            return Port(shape, device=card, **{"dtype": dtype, "channels_last": False, **how})

        values, firsts = port(shape), port(self._firsts.shape, dtype=np.float64, is_written=True)
        ports = (
            values,
            port(shape, dtype=np.intp, is_read=False, is_written=True),
            port(shape, dtype=np.bool_, is_read=False, is_written=True, optional=True),
            firsts,
        )
        kernel = card.kernel("whole_numbers", "whole_numbers", dtype, rows=self._number, wide=count)
        self._convert = Call(kernel, ports)
        wrong = port((3,), dtype=np.float64, is_written=True)
        self._note = Call(
            card.kernel("whole_numbers", "note_wrong", dtype, rows=1, wide=count), (values, firsts, wrong)
        )
        self._numbers = (limit, ignore or 0, ignore is not None, size, self._number, count)

    def forward(self, values: Any) -> tuple[Any, Any]:
        self._convert.run((values, self.index, self.ignored, self._firsts), *self._numbers)
        self._note.run((values, self._firsts, self.wrong), self._number)
        return self.index, self.ignored
