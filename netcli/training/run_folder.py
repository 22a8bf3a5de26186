"""The folder of a run: what was trained, with what, and how it went.

runs/NAME-N/  command.txt     the command line
              solver.prototxt the solver as it ran: overrides, seed and paths filled in
              net.prototxt    the net, upgraded; train_net.prototxt and test_net_I.prototxt where they differ
              train.log       Caffe's log lines
              metrics.jsonl   the same numbers, one JSON object a line
              curve.svg       loss and scores over iterations
"""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from netcli.errors import NetcliError, Place

RUNS = Path("runs")


class RunFolder:
    """A folder of one run; `path` is there from the start."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def log(self) -> Path:
        return self.path / "train.log"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def curve(self) -> Path:
        return self.path / "curve.svg"

    def write(self, command: Sequence[str], texts: Mapping[str, str]) -> None:
        """Write the command line, and the texts under their file names; raises NetcliError, for log and metrics too."""
        try:
            for name, text in {"command.txt": shlex.join(command) + "\n", **texts}.items():
                (self.path / name).write_text(text, encoding="utf-8")
            for path in (self.log, self.metrics):
                open(path, "a", encoding="utf-8").close()
        except OSError as fault:
            raise _cannot(self.path, fault) from None


def given(path: Path) -> RunFolder:
    """The folder at `path`, made where it is not there yet; an earlier run's log and metrics are added to."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise _cannot(path, fault) from None
    return RunFolder(path)


def next_free(name: str, runs: Path = RUNS) -> RunFolder:
    """A new folder NAME-1, or the next number that is free."""
    stem = re.sub(r"[^\w.+-]+", "_", name).strip("._") or "net"
    try:
        runs.mkdir(parents=True, exist_ok=True)
        taken = [int(m[1]) for p in runs.iterdir() if (m := re.fullmatch(re.escape(stem) + r"-(\d+)", p.name))]
        for number in itertools.count(max(taken, default=0) + 1):
            path = runs / f"{stem}-{number}"
            try:
                path.mkdir()
            except FileExistsError:  # another run has begun meanwhile
                continue
            return RunFolder(path)
    except OSError as fault:
        raise _cannot(runs, fault) from None
    raise AssertionError("numbers do not end")


def _cannot(path: Path, fault: OSError) -> NetcliError:
    return NetcliError(
        f"the run's folder can't be written: {fault.strerror or fault}; --run-dir names another", place=Place(str(path))
    )
