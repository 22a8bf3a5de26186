"""Tells a person how a training goes: speed, loss, what is left, scores."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from netcli.training.durations import duration
from netcli.training.hooks import Hook
from netcli.training.scores import Score

if TYPE_CHECKING:
    from netcli.training.trainer import Trainer

WINDOW = 20  # tellings that the speed is taken over
SHOWN = 6  # outputs of a test that are told; the log has all


class Teller(Protocol):
    """Where it is told: see cli/screen.py."""

    def due(self) -> bool: ...
    def progress(self, text: str) -> None: ...
    def say(self, text: str) -> None: ...


class Progress(Hook):
    """One line of progress, as often as the teller wants it, and one that stays for each test."""

    def __init__(self, teller: Teller) -> None:
        self.teller = teller
        self._started = 0.0
        self._marks: deque[tuple[float, int, int]] = deque(maxlen=WINDOW)  # time, iteration, records
        self._scores = ""

    def begin(self, run: Trainer) -> None:
        self._started = time.perf_counter()
        self._mark(run)

    def updated(self, run: Trainer) -> None:
        if self.teller.due():
            self._mark(run)
            self.teller.progress(self._line(run))

    def testing(self, run: Trainer, index: int) -> None:
        if self.teller.due():
            self.teller.progress(f"{run.net.name}  {run.iteration}/{run.max_iter}  testing{_of(run, index)}")

    def tested(self, run: Trainer, index: int, score: Score | None) -> None:
        self._marks.clear()  # the speed is that of training alone
        self._mark(run)
        if score is not None:
            self._scores = _scores(score)
            self.teller.say(f"iteration {run.iteration}: test{_of(run, index)} {self._scores}")

    def _mark(self, run: Trainer) -> None:
        self._marks.append((time.perf_counter(), run.iteration, max(run.net.positions().values(), default=0)))

    def _line(self, run: Trainer) -> str:
        (since, first, records), (now, iteration, more) = self._marks[0], self._marks[-1]
        took = max(now - since, 1e-9)
        left = (now - self._started) / (run.iteration - run.first) * (run.max_iter - run.iteration)
        parts = [
            run.net.name,
            f"{run.iteration}/{run.max_iter}",
            f"loss {run.smoothed_loss:.4g}",
            f"lr {run.solver.rate(run.iteration - 1):.4g}",
            f"{rate((iteration - first) / took)} it/s",
        ]
        if more > records:
            parts.append(f"{rate((more - records) / took)} images/s")
        parts.append(f"{duration(left)} left")
        if self._scores:
            parts.append(f"test {self._scores}")
        return "  ".join(part for part in parts if part)


def _of(run: Trainer, index: int) -> str:
    return f" #{index}" if len(run.tests) > 1 else ""


def _scores(score: Score) -> str:
    told = ", ".join(f"{output.name} {output.value:.4g}" for output in score.outputs[:SHOWN])
    return told + (", ..." if len(score.outputs) > SHOWN else "")


def rate(value: float) -> str:
    """A number of things per second, in three digits."""
    return f"{value:.0f}" if value >= 99.5 else f"{value:.3g}"
