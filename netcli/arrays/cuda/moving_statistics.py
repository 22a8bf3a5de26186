"""The statistics of batches, summed up as they come: one kernel, where CuPy would launch seven."""

from __future__ import annotations

from typing import Any

from netcli.arrays.call import Call
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.cuda.launch import Ports, accept


class MovingStatistics:
    """See `Ops.moving_statistics`."""

    def __init__(self, card: CudaDevice, channels: int, items: int, fraction: float, dtype: Any) -> None:
        accept(dtype)
        of_channel, one = Ports(card, (channels,), dtype, False), Ports(card, (1,), dtype, False)
        ports = (of_channel.read, of_channel.read, of_channel.changed, of_channel.changed, one.changed)
        kernel = card.kernel("moving_statistics", "moving_statistics", dtype, items=max(1, channels))
        self._call = Call(kernel, ports)
        self._numbers = (fraction, items / (items - 1) if items > 1 else 1.0, channels)

    def update(self, mean: Any, var: Any, mean_sum: Any, var_sum: Any, s: Any) -> None:
        self._call.run((mean, var, mean_sum, var_sum, s), *self._numbers)
