"""AdaDelta.

Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012, arXiv:1212.5701.  Same results as Caffe's
adadelta_solver.cpp, where `momentum` is the paper's decay rho and the step is multiplied with the
learning rate, which the paper does without.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.solvers.base import solver
from netcli.solvers.blockwise import Blockwise


@solver("AdaDelta")
class AdaDelta(Blockwise):
    """a = rho * a + (1 - rho) * g ** 2;  d = g * sqrt((b + delta) / (a + delta));  w = w - rate * d.

    b = rho * b + (1 - rho) * d ** 2, after d was made with the b before.
    """

    moments = 2
    scratches = 2

    def step(self, g: Any, history: list[Any], rate: float, scratch: list[Any]) -> None:
        rho, delta, (a, b), (s, t) = self.param.momentum, self.param.delta, history, scratch
        self._average(a, g, rho, s)
        np.add(b, delta, out=s)
        np.add(a, delta, out=t)
        np.divide(s, t, out=s)
        np.sqrt(s, out=s)
        np.multiply(g, s, out=g)
        self._average(b, g, rho, s)
        np.multiply(g, rate, out=g)

    def _average(self, mean: Any, x: Any, rho: float, s: Any) -> None:
        """mean = rho * mean + (1 - rho) * x ** 2, with `s` to work in."""
        np.multiply(x, x, out=s)
        np.multiply(s, 1 - rho, out=s)
        np.multiply(mean, rho, out=mean)
        np.add(mean, s, out=mean)
