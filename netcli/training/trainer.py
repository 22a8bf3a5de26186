"""The loop: forward, backward, update, and nothing else; all the rest are hooks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from netcli.arrays.late import mean
from netcli.net import Net
from netcli.solvers import Solver
from netcli.training.hooks import STEPS, Hook
from netcli.training.position import Position


class Trainer:
    """A run of a solver over a net, from `iteration` to max_iter, in the steps of Caffe's solver.cpp.

    forward, backward, apply   the net's, and the solver's update by the number of an iteration; a hook may put others
                 in their place, to look on
    iteration    updates made so far
    loss         of the last iteration: the mean over its iter_size passes
    losses       of the last average_loss iterations; on a card both are late, see Note [Late numbers]
    tests        the test nets, which share the net's weights
    generation   that of the state it goes on from; None: it was begun anew, and has not been counted yet
    stopped      the name of what asked for an early stop, such as "SIGINT"
    wants_snapshot  somebody asks for a snapshot before max_iter or the interval says so
    """

    def __init__(self, net: Net, solver: Solver, tests: Sequence[Net] = (), hooks: Sequence[Hook] = ()) -> None:
        self.net = net
        self.solver = solver
        self.tests = list(tests)
        self.forward: Callable[[], float] = net.forward
        self.backward: Callable[[], None] = net.backward
        self.apply: Callable[[int], None] = solver.update
        self.iteration = 0
        self.first = 0  # the iteration this process began at
        self.loss = 0.0
        self.losses: deque[float] = deque(maxlen=solver.param.average_loss)
        self.generation: int | None = None
        self.stopped: str | None = None
        self.wants_snapshot = False
        self.before_tests: list[Position] | None = None  # while tests run; see Note [Interrupted tests]
        self.hooks: list[Hook] = []
        self._calls: dict[str, list[Callable[..., None]]] = {}
        self.add(hooks)

    def add(self, hooks: Sequence[Hook]) -> None:
        """Take more hooks; each goes to the place its order gives it."""
        self.hooks = sorted([*self.hooks, *hooks], key=lambda hook: hook.order)
        self._calls = {
            step: [getattr(hook, step) for hook in self.hooks if getattr(type(hook), step) is not getattr(Hook, step)]
            for step in STEPS
        }

    @property
    def max_iter(self) -> int:
        return int(self.solver.param.max_iter)

    @property
    def smoothed_loss(self) -> float:
        """The mean loss of the last average_loss iterations."""
        return float(mean(list(self.losses))) if self.losses else 0.0

    def shows(self) -> bool:
        """Whether this iteration is one that `display` asks to tell about."""
        display = int(self.solver.param.display)
        return display > 0 and self.iteration % display == 0

    def goes_on(self) -> bool:
        """Whether nothing has asked for an early stop."""
        return self.stopped is None

    def tell(self, step: str, *about: Any) -> None:
        """Call the hooks that have something to do at a step."""
        for call in self._calls[step]:
            call(self, *about)

    def train(self) -> None:
        """Run to max_iter, or until a hook sets `stopped`."""
        self.first = self.iteration
        # Numbers that are not finite are told by the loss, once, and not by NumPy at each operation.
        with np.errstate(all="ignore"):
            try:
                self.tell("begin")
                self._iterate(self.max_iter)
                self.tell("after")
                if self.goes_on():
                    self._look()
                    self.tell("last")
            finally:
                self.tell("end")

    def step(self, count: int) -> None:
        """Run `count` more iterations, whatever max_iter says, and nothing before or after them."""
        with np.errstate(all="ignore"):
            self._iterate(self.iteration + count)

    def _iterate(self, stop: int) -> None:
        self.tell("start")
        while self.iteration < stop and self.goes_on():
            self.net.clear_diffs()
            self.tell("before")
            if not self.goes_on():  # stopped during a test
                break
            self.loss = self._gradients()
            self.losses.append(self.loss)
            self.tell("computed")
            self.update()
            self.tell("updated")
            self.tell("poll")

    def update(self) -> None:
        """Let the weights take the step of this iteration, from the gradients there are."""
        self.apply(self.iteration)
        self.iteration += 1

    def _gradients(self) -> float:
        """Forward and backward, iter_size times; gradients are summed.  Returns the mean loss."""
        losses = []
        for _ in range(int(self.solver.param.iter_size)):
            losses.append(self.forward())
            self.backward()
        return mean(losses)

    def _look(self) -> None:
        if self.shows():
            self.loss = self.net.forward()
            self.losses.append(self.loss)
            self.tell("looked")
