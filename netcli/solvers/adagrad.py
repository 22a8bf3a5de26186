"""AdaGrad.

Duchi, Hazan & Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic
Optimization", JMLR 12, 2011.  Same results as Caffe's adagrad_solver.cpp.
"""

from __future__ import annotations

from typing import Any

from netcli.errors import NetcliError
from netcli.solvers.base import Solver, solver


@solver("AdaGrad")
class AdaGrad(Solver):
    """h = h + g ** 2;  w = w - rate * g / (sqrt(h) + delta)."""

    def check(self, param: Any) -> None:
        if param.momentum:
            raise NetcliError(f"AdaGrad has no momentum, got {param.momentum:g}", field="momentum")
