"""Rows added to others by their numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays.call import Call, Port
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.cuda.launch import accept
from netcli.arrays.layout import Shape, count_of

PART = 4096  # items of a row that a block adds


class AddRows:
    """See `Ops.add_rows`."""

    def __init__(self, card: CudaDevice, into_shape: Shape, index_shape: Shape, dtype: Any) -> None:
        accept(dtype)
        rows_shape = (*index_shape, *into_shape[1:])
        count, width = count_of(index_shape), count_of(into_shape[1:])
        parts = max(1, -(-width // PART))
        # In a row the items of both lie in one order.
        alike = len(index_shape) == 1

        def port(shape: Shape, **how: Any) -> Port:
            return Port(shape, device=card, **{"dtype": dtype, "channels_last": alike, **how})

        ports = (
            port(into_shape, is_written=True),
            port(index_shape, dtype=np.intp, channels_last=False),
            port(rows_shape),
        )
        wide = max(count_of(into_shape), count * width)
        self._call = Call(card.kernel("add_rows", "add_rows", dtype, rows=count * parts, wide=wide), ports)
        self._numbers = (width, PART, parts, count)

    def forward(self, into: Any, index: Any, rows: Any) -> None:
        self._call.run((into, index, rows), *self._numbers)
