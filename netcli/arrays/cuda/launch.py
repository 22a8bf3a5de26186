"""What the bodies here share: which types they take, and calls of kernels over arrays in the order of memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netcli.arrays.call import Call, Port
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.unsupported import Unsupported

PACK = 4  # items side by side that a thread has together, where their number allows: see kernels/packs.cuh


def packed(channels: int) -> int:
    """How many of an image's channels, which lie side by side, a thread has together."""
    return 1 if channels % PACK else PACK


def accept(dtype: Any) -> None:
    """Raise Unsupported for what the kernels have no type for."""
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise Unsupported(f"kernels are of float32 and float64, not of {np.dtype(dtype)}")


class Ports:
    """Ports of one shape and type on a card."""

    def __init__(self, card: CudaDevice, shape: Shape, dtype: Any, channels_last: bool = True) -> None:
        def port(**how: bool) -> Port:
            return Port(shape, channels_last=channels_last, dtype=dtype, device=card, **how)

        self.read = port()
        self.written = port(is_read=False, is_written=True)
        self.changed = port(is_written=True)
        self.maybe_read = port(optional=True)
        self.maybe_written = port(is_read=False, is_written=True, optional=True)
        self.maybe_changed = port(is_written=True, optional=True)


def elementwise(card: CudaDevice, file: str, name: str, shape: Shape, dtype: Any, ports: Sequence[Port]) -> Call:
    """A kernel with a thread for each item of `shape`."""
    return Call(card.kernel(file, name, dtype, items=count_of(shape)), ports)
