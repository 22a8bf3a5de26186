"""Hook: what may be done around the loop's steps, and in which order.

At each step the hooks are called by their `order`, those of one order as they were given:

    GUARD    may end the run before harm is done            (a loss that is no number)
    WRITE    makes numbers or asks for something            (tests, signals)
    READ     tells numbers to people and files              (log, metrics, screen, learning curve)
    KEEP     writes snapshots, after everybody has had a say
"""

from __future__ import annotations

import inspect
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from netcli.training.scores import Score
    from netcli.training.trainer import Trainer


class Order(IntEnum):
    GUARD = 0
    WRITE = 1
    READ = 2
    KEEP = 3


class Hook:
    """Base of the hooks; a subclass gives the steps it has something to do at, the others cost nothing."""

    order: ClassVar[Order] = Order.READ

    def begin(self, run: Trainer) -> None:
        """Once, before a training to max_iter."""

    def start(self, run: Trainer) -> None:
        """Before a number of iterations without a break: those of a training, or of a program's `step`."""

    def before(self, run: Trainer) -> None:
        """Before an iteration: weights, history and positions are what a snapshot would hold now."""

    def computed(self, run: Trainer) -> None:
        """After an iteration's forward and backward passes: `run.loss` and the gradients are there."""

    def updated(self, run: Trainer) -> None:
        """After the weights have taken their step; `run.iteration` counts it."""

    def poll(self, run: Trainer) -> None:
        """After `updated`, and between the batches of a test: a time for what can't wait."""

    def testing(self, run: Trainer, index: int) -> None:
        """Test net `index` is about to be run."""

    def tested(self, run: Trainer, index: int, score: Score | None) -> None:
        """A test is done; None: it was broken off."""

    def saving(self, run: Trainer, weights: str, state: str) -> None:
        """A snapshot is about to be written to these paths."""

    def saved(self, run: Trainer, weights: str, state: str) -> None:
        """A snapshot has been written to these paths."""

    def after(self, run: Trainer) -> None:
        """After the last iteration, also of a run that was stopped."""

    def looked(self, run: Trainer) -> None:
        """After one more forward pass at the end, made to show the loss of the last weights."""

    def last(self, run: Trainer) -> None:
        """At the very end of a run that has reached max_iter."""

    def end(self, run: Trainer) -> None:
        """Once, whatever happened: close what is open."""


STEPS = tuple(name for name, value in vars(Hook).items() if inspect.isfunction(value))
