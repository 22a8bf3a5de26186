"""Reads the log of a training: the lines of Caffe, of any age and of most forks, or a run's own metrics.jsonl.

What a log tells stands in lines such as these:

    I0210 13:39:22.381027 25210 solver.cpp:218] Iteration 100 (9.8 iter/s, 10.2s/100 iters), loss = 0.2
    I0210 13:39:22.381038 25210 solver.cpp:237]     Train net output #0: loss = 0.19 (* 1 = 0.19 loss)
    I0210 13:39:22.381046 25210 sgd_solver.cpp:105] Iteration 100, lr = 0.00992565

The pace in brackets came with Caffe 1.0; glog writes the year before the month since its release 0.6.  A line without
such a stamp counts too, at the time of the one before.

The rows are those of Caffe's tools/extra/parse_log.py: time is counted from the line `Solving NAME`, and what stands
above it is passed over; the rate of a row is the one that was told last before it, that of the first row is the
second's.  Told otherwise: the last row is kept though none follows it or the log ends within it, a number may be nan or
inf, each item of an output blob and each output of a further test net has a column of its own, and a 29th of February
is a day.
"""

from __future__ import annotations

import calendar
import contextlib
import datetime
import json
import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from netcli.errors import NetcliError, Place

RUN_LOG = "train.log"  # in a run folder
DIGITS = 18  # of an iteration; a longer number is none
ITERS, SECONDS, RATE = "NumIters", "Seconds", "LearningRate"  # the columns before those of the outputs

_NUMBER = r"([-+]?(?:nan|inf|\d\.#\w+|(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?))"  # with a #: of Windows, 1.#INF, -1.#IND
_STAMP = re.compile(r"\b[IWEF](\d{4})?(\d\d)(\d\d) +(\d\d):(\d\d):(\d\d)\.(\d{1,6})")
_ITERATION = re.compile(rf"Iteration (\d{{1,{DIGITS}}})(?!\d)")
_LOSS = re.compile(r"Iteration \d+.*, loss = " + _NUMBER, re.IGNORECASE)
_LR = re.compile(r"\blr = " + _NUMBER, re.IGNORECASE)
_TESTING = re.compile(r"Testing net \(#(\d+)\)")
_OUTPUT = re.compile(r"(Train|Test) net output #(\d+): (\S+) = " + _NUMBER + r"( \(\* .* loss\))?", re.IGNORECASE)


@dataclass
class Row:
    """The outputs that were told at one time."""

    iteration: int
    seconds: float
    rate: float
    outputs: dict[str, float] = field(default_factory=dict)

    def columns(self) -> dict[str, float]:
        """The row as parse_log.py has it, all of it floats."""
        return {ITERS: float(self.iteration), SECONDS: self.seconds, RATE: self.rate, **self.outputs}


@dataclass(frozen=True)
class Point:
    """A number that is told apart from the outputs, and when."""

    iteration: int
    seconds: float
    value: float


@dataclass
class Log:
    """What a log tells, in its order; a run that went on from an earlier iteration tells some of them twice.

    train, test   the outputs of the nets
    losses        the training loss, the mean over average_loss iterations
    rates         the learning rate of each iteration that is told, without the delay of the rows' own
    weighed       the outputs that are part of a loss
    """

    path: str
    train: list[Row] = field(default_factory=list)
    test: list[Row] = field(default_factory=list)
    losses: list[Point] = field(default_factory=list)
    rates: list[Point] = field(default_factory=list)
    weighed: set[str] = field(default_factory=set)


def fields(rows: Iterable[Row]) -> list[str]:
    """The columns of rows, in the order they were first told."""
    return list(dict.fromkeys(name for row in rows for name in row.columns()))


def read_log(path: str) -> Log:
    """Read a log of Caffe's lines, a metrics.jsonl, or the log in a run folder.

    Raises NetcliError, also where it tells of no iteration.
    """
    if os.path.isdir(path) and os.path.exists(inside := os.path.join(path, RUN_LOG)):
        path = inside
    reader = _Reader(path)
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as lines:
            reader.clock.year = datetime.datetime.fromtimestamp(os.fstat(lines.fileno()).st_mtime).year
            for line in lines:
                reader.take(line)
    except OSError as fault:
        raise NetcliError(f"can't be read: {(fault.strerror or str(fault)).lower()}", place=Place(path)) from None
    log = reader.log
    if not (log.train or log.test or log.losses or log.rates):
        raise NetcliError("tells of no iteration, so it is no log of a training", place=Place(path))
    for rows in (log.train, log.test):
        # Lines tell the rate behind the outputs, so that the first row would have none.
        if len(rows) > 1 and (not reader.has_entries or math.isnan(rows[0].rate)):
            rows[0].rate = rows[1].rate
    return log


class _Clock:
    """Seconds from the start of a run; the stamps of its lines have no year, but for those of late glogs."""

    def __init__(self) -> None:
        self.year = 0  # of the stamps, unless they say so themselves
        self._start: datetime.datetime | None = None
        self._last: datetime.datetime | None = None
        self.seconds = 0.0

    def take(self, line: str) -> None:
        """Go on to the time of a line, if it has one."""
        match = _STAMP.search(line)
        if match is None:
            return
        year, *numbers = match.groups()
        month, day, hour, minute, second = map(int, numbers[:5])
        if year is not None:
            self.year = int(year)
        elif self._last is not None and month < self._last.month:
            self.year += 1
        if (month, day) == (2, 29) and not calendar.isleap(self.year):
            self._move_to_leap_year()
        try:
            time = datetime.datetime(self.year, month, day, hour, minute, second, int(numbers[5].ljust(6, "0")))
        except ValueError:  # a number that looks like a stamp
            return
        self._last = time
        self._start = self._start or time
        self.seconds = (time - self._start).total_seconds()

    def restart(self) -> None:
        """Count from the last stamp on."""
        self._start, self.seconds = self._last, 0.0

    def _move_to_leap_year(self) -> None:
        """All was some years later than the file's own date says, which a copy may have changed."""
        years = next(more for more in range(1, 9) if calendar.isleap(self.year + more))
        self.year += years
        if self._start is not None:
            self._start = self._start.replace(year=self._start.year + years)


class _Reader:
    """What has been read, and where in the log we are."""

    def __init__(self, path: str) -> None:
        self.log = Log(path)
        self.clock = _Clock()
        self.has_entries = False  # it is a metrics.jsonl, where each entry has its own rate
        self._solving = False
        self._iteration: int | None = None
        self._rate = math.nan
        self._net = 0  # the test net being told of
        self._told: dict[str, tuple[Row, int, int]] = {}  # of train and test: last row, net and number of the output
        self._passed = 0.0  # seconds of the runs before this one, in a file of metrics

    def take(self, line: str) -> None:
        """Take the next line."""
        if line.startswith("{"):
            self._take_entry(line)
            return
        self.clock.take(line)
        if not self._solving and "Solving " in line:
            # What earlier lines told belongs to no run that is told from its start.
            self.log, self._told, self._iteration, self._solving = Log(self.log.path), {}, None, True
            self.clock.restart()
        if match := _ITERATION.search(line):
            self._iteration = int(match[1])
        if self._iteration is not None:
            self._take_told(line, self._iteration)

    def _take_told(self, line: str, iteration: int) -> None:
        if match := _TESTING.search(line):
            self._net = int(match[1])
        if match := _LOSS.search(line):
            self.log.losses.append(Point(iteration, self.clock.seconds, _told(match[1])))
        if match := _LR.search(line):
            self._rate = _told(match[1])
            self.log.rates.append(Point(iteration, self.clock.seconds, self._rate))
        if match := _OUTPUT.search(line):
            kind, number, name, value, part = match.groups()
            self._add(kind.lower(), iteration, int(number), name, _told(value), weighed=part is not None)

    def _add(self, kind: str, iteration: int, number: int, name: str, value: float, *, weighed: bool) -> None:
        """Put an output into the row it belongs to, which is a new one where it goes back to what has been told."""
        net = self._net if kind == "test" else 0
        row, *last = self._told.get(kind, (None, -1, -1))
        if row is None or row.iteration != iteration or (net, number) <= tuple(last):
            row = Row(iteration, self.clock.seconds, self._rate)
            (self.log.test if kind == "test" else self.log.train).append(row)
        self._told[kind] = (row, net, number)
        whose = f" (#{net})" if net else ""
        column, item = f"{name}{whose}", 0
        while column in row.outputs:
            item += 1
            column = f"{name}[{item}]{whose}"
        row.outputs[column] = value
        if weighed:
            self.log.weighed.add(column)

    def _take_entry(self, line: str) -> None:
        """A line of metrics.jsonl; see metrics.py.  One that was cut off by a kill, or is no entry, is passed over."""
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, OverflowError):
            self._add_entry(json.loads(line))

    def _add_entry(self, entry: Any) -> None:
        kind, iteration, seconds = entry["kind"], int(entry["iteration"]), float(entry["seconds"])
        if kind not in ("train", "test") or not 0 <= iteration < 10**DIGITS:
            return
        self.has_entries = True
        if self._passed + seconds < self.clock.seconds:  # a run that goes on counts from 0 again
            self._passed = self.clock.seconds
        self.clock.seconds = self._passed + seconds
        self._net = int(entry.get("net", 0))
        if kind == "train" and "lr" in entry:
            self._rate = _number(entry["lr"])
            self.log.rates.append(Point(iteration, self.clock.seconds, self._rate))
        if kind == "train":
            self.log.losses.append(Point(iteration, self.clock.seconds, _number(entry.get("loss"))))
        outputs: dict[str, Any] = entry.get("outputs", {})
        items = [
            (name, item) for name, value in outputs.items() for item in (value if isinstance(value, list) else [value])
        ]
        for number, (name, item) in enumerate(items):
            weighed = name in entry.get("losses", ())
            self._add(kind, iteration, number, name, _number(item), weighed=weighed)


def _told(text: str) -> float:
    """A number as a line has it."""
    if "#" in text:
        return float(text[: text.index("#") - 2] + ("inf" if "#INF" in text.upper() else "nan"))
    return float(text)


def _number(value: Any) -> float:
    """A number of metrics.jsonl, where null stands for one that is not finite."""
    return math.nan if value is None else float(value)
