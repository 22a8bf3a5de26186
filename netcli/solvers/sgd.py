"""Stochastic gradient descent with momentum.

Polyak, "Some methods of speeding up the convergence of iteration methods", 1964; in the form of
Krizhevsky, Sutskever & Hinton, NIPS 2012.  Same results as Caffe's sgd_solver.cpp.
"""

from __future__ import annotations

from netcli.solvers.base import Solver, solver


@solver("SGD")
class SGD(Solver):
    """h = momentum * h + rate * g;  w = w - h.

    The learning rate is inside the history: a lower rate takes effect as the momentum of the old one runs out.
    """

    def stands_still(self, decay: float) -> bool:  # noqa: ARG002
        return True
