"""What is done to the results of products, in one pass over them."""

from __future__ import annotations

from typing import Any

from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.cuda.launch import packed


class Epilogue:
    """Of flat results, `channels` side by side: (y + b) * s + t + z, then a ReLU of slope `relu`, or of slopes a."""

    def __init__(self, card: CudaDevice, channels: int, count: int, dtype: Any, relu: float | None) -> None:
        self._kernel = card.kernel("epilogue", "epilogue", dtype, items=-(-count // packed(channels)), wide=count)
        self.relu = relu
        self._numbers = (0.0 if relu is None else relu, relu is not None, channels, count)

    def __call__(self, y: Any, b: Any, s: Any = None, t: Any = None, z: Any = None, a: Any = None) -> None:
        """Those that are None are left out."""
        given = (b, s, t, z, a)
        if self.relu is not None or any(each is not None for each in given):
            self._kernel(y, *given, *self._numbers)
