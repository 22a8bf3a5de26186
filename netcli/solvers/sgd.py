"""Stochastic gradient descent with momentum.

Polyak, "Some methods of speeding up the convergence of iteration methods", 1964; in the form of
Krizhevsky, Sutskever & Hinton, NIPS 2012.  Same results as Caffe's sgd_solver.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from netcli.arrays.ops import Ops
from netcli.solvers.base import Solver, solver

if TYPE_CHECKING:
    from netcli.net import Parameter


@solver("SGD")
class SGD(Solver):
    """h = momentum * h + rate * g;  w = w - h.

    The learning rate is inside the history: a lower rate takes effect as the momentum of the old one runs out.
    """

    def __init__(self, param: Any, parameters: Sequence[Parameter], ops: Ops) -> None:
        super().__init__(param, parameters, ops)
        self._plans = [ops.sgd(p.blob.count, p.blob.dtype) for p in self.parameters]

    def update_parameter(self, index: int, rate: float, decay: float, scale: float) -> None:
        blob = self.parameters[index].blob
        w, dw, h = blob.data.reshape(-1), blob.diff.reshape(-1), self.history[index].reshape(-1)
        self._plans[index].update(w, dw, h, rate, self.param.momentum, decay, self.l1, scale)

    def stands_still(self, decay: float) -> bool:  # noqa: ARG002
        return True
