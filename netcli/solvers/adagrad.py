"""AdaGrad.

Duchi, Hazan & Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic
Optimization", JMLR 12, 2011.  Same results as Caffe's adagrad_solver.cpp.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.errors import NetcliError
from netcli.solvers.base import solver
from netcli.solvers.blockwise import Blockwise


@solver("AdaGrad")
class AdaGrad(Blockwise):
    """h = h + g ** 2;  w = w - rate * g / (sqrt(h) + delta)."""

    def check(self, param: Any) -> None:
        if param.momentum:
            raise NetcliError(f"AdaGrad has no momentum, got {param.momentum:g}", field="momentum")

    def step(self, g: Any, history: list[Any], rate: float, scratch: list[Any]) -> None:
        (h,), (s,) = history, scratch
        np.multiply(g, g, out=s)
        np.add(h, s, out=h)
        np.sqrt(h, out=s)
        np.add(s, self.param.delta, out=s)
        np.divide(g, s, out=g)
        np.multiply(g, rate, out=g)
