"""Nesterov's accelerated gradient.

Nesterov, "A method of solving a convex programming problem with convergence rate O(1/k^2)", 1983; in
the form of Sutskever, Martens, Dahl & Hinton, "On the importance of initialization and momentum in
deep learning", ICML 2013.  Same results as Caffe's nesterov_solver.cpp.
"""

from __future__ import annotations

from netcli.solvers.base import Solver, solver


@solver("Nesterov")
class Nesterov(Solver):
    """u = h;  h = momentum * h + rate * g;  w = w - ((1 + momentum) * h - momentum * u)."""

    def stands_still(self, decay: float) -> bool:  # noqa: ARG002
        return True
