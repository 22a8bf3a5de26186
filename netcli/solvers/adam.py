"""Adam.

Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, arXiv:1412.6980, in the
rearranged form at the end of its section 2.  Same results as Caffe's adam_solver.cpp: `momentum` is
beta1, `momentum2` beta2, and `delta` the paper's epsilon-hat, which is added to the uncorrected root.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from netcli.errors import NetcliError
from netcli.solvers.base import solver
from netcli.solvers.blockwise import Blockwise


@solver("Adam")
class Adam(Blockwise):
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

    def step(self, g: Any, history: list[Any], rate: float, scratch: list[Any]) -> None:
        beta1, beta2, (m, v), (s,) = self.param.momentum, self.param.momentum2, history, scratch
        np.multiply(g, g, out=s)
        np.multiply(s, 1 - beta2, out=s)
        np.multiply(v, beta2, out=v)
        np.add(v, s, out=v)
        np.multiply(g, 1 - beta1, out=g)
        np.multiply(m, beta1, out=m)
        np.add(m, g, out=m)
        np.sqrt(v, out=s)
        np.add(s, self.param.delta, out=s)
        np.divide(m, s, out=g)
        np.multiply(g, rate, out=g)
