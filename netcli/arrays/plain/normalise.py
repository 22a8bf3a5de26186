"""Images cut out, mirrored, less a mean, times a scale."""

from __future__ import annotations

from typing import Any

import numpy as np


class Normalise:
    """See `Ops.normalise`."""

    def __init__(self, mean: Any, scale: float, dtype: Any) -> None:
        self._dtype = np.dtype(dtype).type
        self._mean = None if mean is None else np.ascontiguousarray(mean, dtype)
        self._scale = None if scale == 1 else self._dtype(scale)

    def forward(self, x: Any, top: int, left: int, mirrored: bool, less: Any, y: Any) -> None:
        window = (slice(None), slice(top, top + y.shape[1]), slice(left, left + y.shape[2]))
        x = x[window]
        mean = None if self._mean is None else self._mean[window]
        if less is not None:
            less = less.reshape(-1, 1, 1)
            mean = less if mean is None else mean + less
        out = y[:, :, ::-1] if mirrored else y
        # One pass each, without an array in between; the casts happen in NumPy's own small buffers.
        if mean is not None:
            np.subtract(x, mean, out=out, dtype=self._dtype, casting="same_kind")
        elif self._scale is not None:
            np.multiply(x, self._scale, out=out, dtype=self._dtype, casting="same_kind")
            return
        else:
            np.copyto(out, x, casting="same_kind")
        if self._scale is not None:
            np.multiply(y, self._scale, out=y)


class NormaliseBatch:
    """See `Ops.normalise_batch`."""

    def __init__(self, mean: Any, scale: float, dtype: Any) -> None:
        self._of_one = Normalise(mean, scale, dtype)

    def forward(self, x: Any, top: Any, left: Any, mirrored: Any, less: Any, y: Any) -> None:
        for i, out in enumerate(y):
            window = int(top[i]), int(left[i]), bool(mirrored[i])
            self._of_one.forward(x[i], *window, None if less is None else less[i], out)
