"""A trace of some iterations of a training, written when they are done."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from netcli.errors import NetcliError, SnapshotError
from netcli.snapshots.atomic import atomic_stream
from netcli.training.hooks import Hook, Order
from netcli.training.trace import Recorder, title_of, trace

if TYPE_CHECKING:
    from netcli.training.scores import Score
    from netcli.training.trainer import Trainer

_log = logging.getLogger("netcli")


class Profile(Hook):
    """Traces iterations `first` to `last`, counted from where the run begins, and goes on without.

    path   the file that is written then, or when the run ends before; one that can't be written is a warning
    said   told where it is

    In it are the training net's layers, what its sources read ahead, the updates, tests and snapshots.  The iterations
    compute what they would have; on a card their passes are asked for anew, layer by layer, and not replayed;
    behind them passes are recorded again.
    """

    order: ClassVar[Order] = Order.GUARD  # the first of an iteration's: tests are within it

    def __init__(self, path: str, first: int, last: int, said: Callable[[str], None]) -> None:
        self._path, self._first, self._last, self._said = path, first, last, said
        self._recorder: Recorder | None = None
        self._watched = contextlib.ExitStack()
        self._ends: dict[str, Callable[[], None]] = {}  # what is under way

    def check(self, run: Trainer) -> None:
        """Raise NetcliError where the run would be over before."""
        left = run.max_iter - run.iteration
        if left <= self._first:
            raise NetcliError(
                f"the trace is to begin after {self._first} iterations, and there are {max(0, left)} left to train; "
                "--profile-iterations FIRST LAST gives others"
            )

    def before(self, run: Trainer) -> None:
        done = run.iteration - run.first
        if done == self._first:
            self._start(run)
        if self._recorder is not None:
            self._end("iteration")
            if done > self._last:
                self._write(run)
            else:
                self._ends["iteration"] = self._recorder.begin(f"iteration {run.iteration}", "iteration")

    def testing(self, run: Trainer, index: int) -> None:  # noqa: ARG002
        if self._recorder is not None:
            self._ends["test"] = self._recorder.begin(f"test net #{index}", "test")

    def tested(self, run: Trainer, index: int, score: Score | None) -> None:  # noqa: ARG002
        self._end("test")

    def saving(self, run: Trainer, weights: str, state: str) -> None:  # noqa: ARG002
        if self._recorder is not None:
            self._ends["snapshot"] = self._recorder.begin("snapshot", "snapshot", file=state)

    def saved(self, run: Trainer, weights: str, state: str) -> None:  # noqa: ARG002
        self._end("snapshot")

    def after(self, run: Trainer) -> None:
        self._end("iteration")
        self._write(run)

    def end(self, run: Trainer) -> None:
        self._write(run)

    def _start(self, run: Trainer) -> None:
        recorder = self._recorder = Recorder(run.net.context.device)
        self._watched.enter_context(recorder.watch(run.net))
        apply = run.apply

        def update(iteration: int) -> None:
            with recorder.span("update", "update", type=run.solver.type):
                apply(iteration)

        run.apply = update
        self._watched.callback(setattr, run, "apply", apply)

    def _end(self, what: str) -> None:
        """What is under way by that name is done."""
        end = self._ends.pop(what, None)
        if end is not None:
            end()

    def _write(self, run: Trainer) -> None:
        """Look on no more, and write what was seen."""
        if self._recorder is None:
            return
        recorder, self._recorder = self._recorder, None
        self._watched.close()
        try:
            with atomic_stream(self._path) as stream:
                stream.write(trace(title_of(run.net), recorder.spans()).encode())
        except SnapshotError as fault:
            _log.warning("%s; the trace is lost", fault)
        else:
            self._said(f"the trace is in {self._path}; Perfetto (https://ui.perfetto.dev) shows it")
