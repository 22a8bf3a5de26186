"""RMSProp.

Tieleman & Hinton, "Lecture 6.5: RMSProp, divide the gradient by a running average of its recent
magnitude", Coursera, 2012.  Same results as Caffe's rmsprop_solver.cpp.
"""

from __future__ import annotations

from typing import Any

from netcli.errors import NetcliError
from netcli.solvers.base import Solver, solver


@solver("RMSProp")
class RMSProp(Solver):
    """h = rms_decay * h + (1 - rms_decay) * g ** 2;  w = w - rate * g / (sqrt(h) + delta)."""

    def check(self, param: Any) -> None:
        if param.momentum:
            raise NetcliError(f"RMSProp has no momentum, got {param.momentum:g}", field="momentum")
        if not 0 <= param.rms_decay < 1:
            raise NetcliError(f"rms_decay is at least 0 and below 1, got {param.rms_decay:g}", field="rms_decay")

    def momentum(self) -> float:
        return float(self.param.rms_decay)
