"""Adam.

Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, arXiv:1412.6980, in the
rearranged form at the end of its section 2.  Same results as Caffe's adam_solver.cpp: `momentum` is
beta1, `momentum2` beta2, and `delta` the paper's epsilon-hat, which is added to the uncorrected root.
"""

from __future__ import annotations

import math
from typing import Any

from netcli.errors import NetcliError
from netcli.solvers.base import Solver, solver


@solver("Adam")
class Adam(Solver):
    """m = beta1 * m + (1 - beta1) * g;  v = beta2 * v + (1 - beta2) * g ** 2;  w = w - r * m / (sqrt(v) + delta).

    r = rate * sqrt(1 - beta2 ** t) / (1 - beta1 ** t), t the number of the update, from 1.
    """

    moments = 2

    def check(self, param: Any) -> None:
        for name in ("momentum", "momentum2"):
            beta = getattr(param, name)
            if not 0 <= beta < 1:
                raise NetcliError(f"Adam needs a {name} of at least 0 and below 1, got {beta:g}", field=name)

    def rule_rate(self, iteration: int) -> float:
        t = iteration + 1
        beta1, beta2 = self.param.momentum, self.param.momentum2
        return self.rate(iteration) * math.sqrt(1 - math.pow(beta2, t)) / (1 - math.pow(beta1, t))
