"""AdaDelta.

Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012, arXiv:1212.5701.  Same results as Caffe's
adadelta_solver.cpp, where `momentum` is the paper's decay rho and the step is multiplied with the
learning rate, which the paper does without.
"""

from __future__ import annotations

from netcli.solvers.base import Solver, solver


@solver("AdaDelta")
class AdaDelta(Solver):
    """a = rho * a + (1 - rho) * g ** 2;  d = g * sqrt((b + delta) / (a + delta));  w = w - rate * d.

    b = rho * b + (1 - rho) * d ** 2, after d was made with the b before.
    """

    moments = 2
