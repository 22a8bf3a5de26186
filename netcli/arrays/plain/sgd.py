"""Stochastic gradient descent with momentum, in blocks that stay in the cache."""

from __future__ import annotations

from typing import Any

import numpy as np

BLOCK = 1 << 15  # items: four arrays of so many in float32 take half a megabyte


class SGD:
    """See `Ops.sgd`."""

    def __init__(self, count: int, dtype: Any) -> None:
        self.step = np.empty(min(count, BLOCK), dtype)
        self.decayed = np.empty_like(self.step)

    def update(
        self, w: Any, dw: Any, h: Any, rate: float, momentum: float, decay: float, l1: bool, scale: float
    ) -> None:
        for first in range(0, w.size, BLOCK):
            part = slice(first, first + BLOCK)
            w_part, h_part = w[part], h[part]
            step, decayed = self.step[: w_part.size], self.decayed[: w_part.size]
            np.multiply(dw[part], float(rate * scale), out=step)
            if decay:
                np.multiply(np.sign(w_part, out=decayed) if l1 else w_part, float(rate * decay), out=decayed)
                step += decayed
            h_part *= float(momentum)
            h_part += step
            w_part -= h_part
