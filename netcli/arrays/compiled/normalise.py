"""Images cut out, mirrored, less a mean, times a scale, in one pass."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from netcli.arrays.compiled.compiler import accept, kernel
from netcli.arrays.plain.normalise import Normalise as Definition


class Normalise:
    """See `Ops.normalise`.  For bytes that lie in planes or in pixels, and results that lie in pixels."""

    def __init__(self, mean: Any, scale: float, dtype: Any) -> None:
        accept(dtype)
        self._plain = Definition(mean, scale, dtype)
        self._mean = None if mean is None else np.ascontiguousarray(mean, np.float32)
        self._scale = np.float32(scale)
        self._run = kernel("images", "normalise")

    @cached_property
    def _mean_of(self) -> dict[bool, Any]:
        """The mean image, flat, for sources in planes and for those in pixels."""
        if self._mean is None:
            return dict.fromkeys((True, False), np.zeros(0, np.float32))
        return {True: self._mean.ravel(), False: np.ascontiguousarray(self._mean.transpose(1, 2, 0)).ravel()}

    def forward(self, x: Any, top: int, left: int, mirrored: bool, less: Any, y: Any) -> None:
        planes = x.flags.c_contiguous
        source, out = x if planes else x.transpose(1, 2, 0), y.transpose(1, 2, 0)
        if x.dtype != np.uint8 or not (source.flags.c_contiguous and out.flags.c_contiguous):
            self._plain.forward(x, top, left, mirrored, less, y)
            return
        if less is None or less.size != len(x):
            less = np.full(len(x), 0 if less is None else less[0], np.float32)
        window = (top, left, *y.shape[1:], mirrored)
        self._run(
            source.reshape(-1), planes, *x.shape, *window, less, self._mean_of[planes], self._scale, out.reshape(-1)
        )
