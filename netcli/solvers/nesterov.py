"""Nesterov's accelerated gradient.

Nesterov, "A method of solving a convex programming problem with convergence rate O(1/k^2)", 1983; in
the form of Sutskever, Martens, Dahl & Hinton, "On the importance of initialization and momentum in
deep learning", ICML 2013.  Same results as Caffe's nesterov_solver.cpp.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.solvers.base import solver
from netcli.solvers.blockwise import Blockwise


@solver("Nesterov")
class Nesterov(Blockwise):
    """u = h;  h = momentum * h + rate * g;  w = w - ((1 + momentum) * h - momentum * u)."""

    def step(self, g: Any, history: list[Any], rate: float, scratch: list[Any]) -> None:
        momentum, (h,), (u,) = self.param.momentum, history, scratch
        np.multiply(h, momentum, out=u)
        np.multiply(g, rate, out=h)
        np.add(h, u, out=h)
        np.multiply(h, 1 + momentum, out=g)
        np.subtract(g, u, out=g)

    def stands_still(self, decay: float) -> bool:  # noqa: ARG002
        return True
