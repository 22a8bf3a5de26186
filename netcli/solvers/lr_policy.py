"""Learning rate policies: the rate of an iteration as a pure function of its number.

Same rates as GetLearningRate in Caffe's sgd_solver.cpp.  With i the iteration, from 0:

    fixed      base_lr
    step       base_lr * gamma ** (i // stepsize)
    exp        base_lr * gamma ** i
    inv        base_lr * (1 + gamma * i) ** -power
    multistep  base_lr * gamma ** (stepvalues reached by i)
    poly       base_lr * (1 - i / max_iter) ** power
    sigmoid    base_lr / (1 + exp(-gamma * (i - stepsize)))
"""

from __future__ import annotations

import bisect
import math
from typing import Any

import numpy as np

from netcli.errors import NetcliError, suggestion

# What each policy reads beside base_lr and can't do without.
NEEDS = {
    "fixed": (),
    "step": ("stepsize",),
    "exp": (),
    "inv": (),
    "multistep": (),
    "poly": ("max_iter",),
    "sigmoid": ("stepsize",),
}
# What it also reads; where it is missing it is 0, or there is none, which holds the rate still or makes it 0.
READS = {
    "step": ("gamma",),
    "exp": ("gamma",),
    "inv": ("gamma", "power"),
    "multistep": ("gamma", "stepvalue"),
    "poly": ("power",),
    "sigmoid": ("gamma",),
}
LARGEST = float(np.finfo(np.float32).max)
# Policies of forks, and whose they are.
FORKS = {"plateau": "SSD", "multifixed": "Intel Caffe", "stepearly": "Fast R-CNN", "sgdr": "jolibrain"}


def check(param: Any) -> None:
    """Raise NetcliError where a SolverParameter has no policy, an unknown one, or lacks what its policy reads."""
    policy = param.lr_policy
    if not param.HasField("base_lr"):
        raise NetcliError("the solver needs base_lr, the learning rate to begin with")
    if not param.HasField("lr_policy"):
        raise NetcliError(f"the solver needs lr_policy, one of {', '.join(NEEDS)}")
    if policy in FORKS:
        raise NetcliError(
            f'lr_policy "{policy}" is {FORKS[policy]}\'s and not known here; there are {", ".join(NEEDS)}',
            field="lr_policy",
        )
    if policy not in NEEDS:
        raise NetcliError(
            f'there is no lr_policy "{policy}"{suggestion(policy, NEEDS) or "; there are " + ", ".join(NEEDS)}',
            field="lr_policy",
        )
    for name in NEEDS[policy]:
        if not param.HasField(name):
            raise NetcliError(f'lr_policy "{policy}" needs {name}', field="lr_policy")
    if "stepsize" in NEEDS[policy] and param.stepsize <= 0:
        raise NetcliError(f'lr_policy "{policy}" needs a stepsize above 0, got {param.stepsize}', field="stepsize")
    if "gamma" in READS.get(policy, ()) and param.gamma < 0:
        raise NetcliError(f'lr_policy "{policy}" needs a gamma of at least 0, got {param.gamma:g}', field="gamma")


def missing(param: Any) -> list[str]:
    """The fields that the policy of a SolverParameter reads and does not find; they count as 0, as in Caffe."""
    reads = READS.get(param.lr_policy, ())
    return [name for name in reads if not (param.stepvalue if name == "stepvalue" else param.HasField(name))]


class Schedule:
    """The rates of a run.

    param: SolverParameter, which `check` has let pass; a base_lr that is changed in it counts from then on.
    """

    def __init__(self, param: Any) -> None:
        self.param = param
        self.policy: str = param.lr_policy
        self.gamma: float = param.gamma
        self.power: float = param.power
        self.stepsize: int = param.stepsize
        self.max_iter: int = param.max_iter
        self.reached: list[int] = []  # the iterations at which multistep's steps are taken
        for value in param.stepvalue:
            # Caffe takes at most one step an iteration, in the order given, so equal or falling values are
            # reached one iteration after another.
            self.reached.append(max(value, self.reached[-1] + 1) if self.reached else value)

    def current_step(self, iteration: int) -> int:
        """Steps taken by `iteration`, for step and multistep; 0 for the others, and before the first iteration.

        A function of the iteration alone: a run resumed with other stepvalues follows those, where Caffe
        would go on counting from its file's number.
        """
        if self.policy == "step":
            return max(iteration, 0) // self.stepsize
        if self.policy == "multistep":
            return bisect.bisect_right(self.reached, iteration)
        return 0

    def rate(self, iteration: int) -> float:
        """The learning rate of an iteration, rounded to float32; infinite where it is too large for that."""
        try:
            rate = self.param.base_lr * self._factor(iteration)
        except OverflowError:  # a gamma above 1 to the power of many thousands
            return math.inf
        return float(np.float32(rate)) if abs(rate) <= LARGEST else math.inf

    def _factor(self, i: int) -> float:
        if self.policy in ("step", "multistep"):
            return self.gamma ** self.current_step(i)
        if self.policy == "exp":
            return self.gamma**i
        if self.policy == "inv":
            return math.pow(1 + self.gamma * i, -self.power)
        if self.policy == "poly":
            return math.pow(max(0.0, 1 - i / self.max_iter), self.power)
        if self.policy == "sigmoid":
            # exp's argument is held where the result is 0 in float32 anyhow, and exp does not overflow.
            return 1 / (1 + math.exp(min(-self.gamma * (i - self.stepsize), 700.0)))
        return 1.0
