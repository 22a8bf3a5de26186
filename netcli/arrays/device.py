"""Where arrays live: the module that makes them, and how memory is taken there."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

ALIGNMENT = 64  # bytes: a cache line, and what AVX-512 loads whole


class Device:
    """The CPU.  `xp` is the module whose functions serve its arrays (NumPy)."""

    name = "cpu"
    xp: ModuleType = np

    def empty(self, count: int, dtype: Any) -> Any:
        """A flat array of `count` items on a 64-byte boundary; its content is whatever was there."""
        return self._aligned(np.empty, count, np.dtype(dtype))

    def zeros(self, count: int, dtype: Any) -> Any:
        """The same of zeros; the system gives pages when they are first written, so what is not used costs nothing."""
        return self._aligned(np.zeros, count, np.dtype(dtype))

    @staticmethod
    def _aligned(make: Callable[[int, Any], Any], count: int, dtype: np.dtype[Any]) -> Any:
        raw = make(count * dtype.itemsize + ALIGNMENT, np.uint8)
        start = -raw.ctypes.data % ALIGNMENT
        return raw[start : start + count * dtype.itemsize].view(dtype)


CPU = Device()
