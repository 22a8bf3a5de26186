"""Tests in the course of a training: every test_interval iterations, each test net over its test_iter batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from netcli.training.hooks import Hook, Order
from netcli.training.position import Position
from netcli.training.scores import score

if TYPE_CHECKING:
    from netcli.training.trainer import Trainer


class Tests(Hook):
    """Runs the test nets; the scores go to the hooks' `tested`.

    batches: for each test net, its test_iter.
    interval: iterations between tests; 0 is never.
    at_start: whether iteration 0 is tested too (test_initialization).

    Note [Interrupted tests]: a snapshot taken while a test runs holds the positions from before it, for
    a resume at that iteration begins with the same tests; so test scores too are those of a run that was
    never interrupted.
    """

    order: ClassVar[Order] = Order.WRITE

    def __init__(self, batches: Sequence[int], interval: int, at_start: bool = True) -> None:
        self.batches = list(batches)
        self.interval = interval
        self.at_start = at_start

    def before(self, run: Trainer) -> None:
        if self.due(run) and (run.iteration > 0 or self.at_start):
            self.run_all(run)

    def last(self, run: Trainer) -> None:
        if self.due(run):
            self.run_all(run)

    def due(self, run: Trainer) -> bool:
        return self.interval > 0 and run.iteration % self.interval == 0

    def run_all(self, run: Trainer) -> None:
        """Test every net, until something stops the run."""
        run.before_tests = [Position.of(net) for net in run.tests]
        for index, (net, batches) in enumerate(zip(run.tests, self.batches, strict=True)):
            run.tell("testing", index)
            run.tell("tested", index, score(net, batches, lambda _: self._goes_on(run)))
            if not run.goes_on():
                return  # the positions from before the tests stay, for the snapshot at the stop
        run.before_tests = None

    def _goes_on(self, run: Trainer) -> bool:
        run.tell("poll")
        return run.goes_on()
