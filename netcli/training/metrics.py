"""The numbers of a run as lines of JSON, for programs: one object a line, written as they come.

    {"kind": "train", "iteration": 100, "seconds": 3.1, "loss": 0.21, "lr": 0.01, "outputs": {"loss": 0.19}}
    {"kind": "test", "iteration": 500, "seconds": 16.0, "net": 0, "loss": 0.06,
     "outputs": {"accuracy": 0.98, "loss": 0.06}, "losses": ["loss"]}
    {"kind": "snapshot", "iteration": 500, "seconds": 16.1, "weights": PATH, "state": PATH}

`loss` of train is the mean of the last average_loss iterations; `losses` names the outputs that are part of the
loss.  The last train line, at max_iter, has no `lr`: no step follows.  A number that is not finite is null.
"""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from netcli.training.finite import finite
from netcli.training.hooks import Hook
from netcli.training.journal import abandon
from netcli.training.scores import Output, Score, by_name, outputs_of

if TYPE_CHECKING:
    from netcli.training.trainer import Trainer

_log = logging.getLogger("netcli")
POINTS = 200  # train lines of a run whose solver has no display


class Metrics(Hook):
    """Writes metrics.jsonl, at the iterations that `display` names or else POINTS times in all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None
        self._start = 0.0

    def begin(self, run: Trainer) -> None:
        self._interval = run.solver.param.display or max(1, run.max_iter // POINTS)
        self._file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115
        self._start = time.perf_counter()

    def computed(self, run: Trainer) -> None:
        if run.iteration % self._interval == 0:
            self._train(run, lr=run.solver.rate(run.iteration))

    def looked(self, run: Trainer) -> None:
        self._train(run)

    def tested(self, run: Trainer, index: int, score: Score | None) -> None:
        if score is not None:
            losses = list(dict.fromkeys(output.name for output in score.outputs if output.weight))
            self._write("test", run, net=index, loss=score.loss, outputs=by_name(score.outputs), losses=losses)

    def saved(self, run: Trainer, weights: str, state: str) -> None:
        self._write("snapshot", run, weights=weights, state=state)

    def end(self, run: Trainer) -> None:  # noqa: ARG002
        if self._file is not None:
            self._file.close()

    def _train(self, run: Trainer, **more: Any) -> None:
        outputs: list[Output] = outputs_of(run.net)
        self._write("train", run, loss=run.smoothed_loss, **more, outputs=by_name(outputs))

    def _write(self, kind: str, run: Trainer, **values: Any) -> None:
        if self._file is None or self._file.closed:
            return
        seconds = round(time.perf_counter() - self._start, 3)
        entry = {"kind": kind, "iteration": run.iteration, "seconds": seconds, **values}
        try:
            self._file.write(json.dumps(finite(entry), allow_nan=False) + "\n")
            self._file.flush()
        except OSError as fault:
            _log.warning("%s can't be written (%s); training goes on without it", self.path, fault.strerror)
            abandon(self._file)
