"""The solvers' rules, a block of a parameter at a time.

Who proposed them stands in netcli/solvers, with Caffe's names for the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netcli.arrays.layout import Shape, count_of

# Items worked on at once.  A rule makes about ten passes over up to six arrays; in blocks of 64 KB
# (float32) they run in the second-level cache, and memory is read and written once.
BLOCK = 1 << 14


class Update:
    """See `Ops.update`."""

    def __init__(self, rule: str, shape: Shape, momentum: float, momentum2: float, delta: float, dtype: Any) -> None:
        self.momentum, self.momentum2, self.delta = momentum, momentum2, delta
        self.step = getattr(self, f"_{rule.lower()}")
        self.blocks = [np.empty(min(count_of(shape), BLOCK), dtype) for _ in range(3)]

    def update(
        self, w: Any, dw: Any, histories: Sequence[Any], rate: float, decay: float, l1: bool, scale: float
    ) -> None:
        w, dw, *histories = (array.reshape(-1) for array in (w, dw, *histories))
        for first in range(0, w.size, BLOCK):
            part = slice(first, first + BLOCK)
            g, s, t = (block[: w.size - first] for block in self.blocks)
            np.multiply(dw[part], float(scale), out=g)
            if decay:
                np.multiply(np.sign(w[part], out=s) if l1 else w[part], float(decay), out=s)
                g += s
            self.step(g, [h[part] for h in histories], float(rate), s, t)
            w[part] -= g

    # Each rule brings the histories up to date with the gradient g, and turns g into what the weights lose;
    # s and t are memory to work in.

    def _sgd(self, g: Any, histories: list[Any], rate: float, s: Any, t: Any) -> None:
        (h,) = histories
        g *= rate
        h *= self.momentum
        h += g
        g[:] = h

    def _nesterov(self, g: Any, histories: list[Any], rate: float, s: Any, t: Any) -> None:
        (h,) = histories
        np.multiply(h, self.momentum, out=s)
        np.multiply(g, rate, out=h)
        h += s
        np.multiply(h, 1 + self.momentum, out=g)
        g -= s

    def _adagrad(self, g: Any, histories: list[Any], rate: float, s: Any, t: Any) -> None:
        (h,) = histories
        h += np.multiply(g, g, out=s)
        self._divide_by_root(g, h, s)
        g *= rate

    def _rmsprop(self, g: Any, histories: list[Any], rate: float, s: Any, t: Any) -> None:
        (h,) = histories
        self._average_squares(h, g, self.momentum, s)
        self._divide_by_root(g, h, s)
        g *= rate

    def _adadelta(self, g: Any, histories: list[Any], rate: float, s: Any, t: Any) -> None:
        h, q = histories
        self._average_squares(h, g, self.momentum, s)
        np.add(q, self.delta, out=s)
        s /= np.add(h, self.delta, out=t)
        g *= np.sqrt(s, out=s)
        self._average_squares(q, g, self.momentum, s)
        g *= rate

    def _adam(self, g: Any, histories: list[Any], rate: float, s: Any, t: Any) -> None:
        h, q = histories
        self._average_squares(q, g, self.momentum2, s)
        g *= 1 - self.momentum
        h *= self.momentum
        h += g
        g[:] = h
        self._divide_by_root(g, q, s)
        g *= rate

    def _average_squares(self, mean: Any, x: Any, share: float, s: Any) -> None:
        """mean = share * mean + (1 - share) * x ** 2."""
        np.multiply(x, x, out=s)
        s *= 1 - share
        mean *= share
        mean += s

    def _divide_by_root(self, x: Any, h: Any, s: Any) -> None:
        """x = x / (sqrt(h) + delta)."""
        np.sqrt(h, out=s)
        s += self.delta
        x /= s
