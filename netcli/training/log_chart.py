"""What a chart of training logs shows: which numbers, of which logs, over what.

The numbers of a log have a kind and a name:

    train loss   the training loss, the mean over average_loss iterations
    train lr     the learning rate
    train NAME   any other output of the training net
    test NAME    an output of the test net
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from netcli.errors import NetcliError, suggestion
from netcli.training.chart import Line, Panel
from netcli.training.log_parser import RUN_LOG, Log, Point, Row

ITERS, SECONDS = "iters", "seconds"
X_LABELS = {ITERS: "iteration", SECONDS: "seconds"}
OWN_NAMES = (RUN_LOG, "metrics.jsonl")  # of a run folder, whose name says more


@dataclass
class Series:
    """Numbers of one kind and name; weighed: they are part of a loss."""

    kind: str
    name: str
    points: list[Point]
    weighed: bool = False

    @property
    def title(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Chart:
    """One of the charts of Caffe's plot_training_log.py."""

    title: str
    x: str
    shows: Callable[[Series], bool]


def _named(name: str) -> Callable[[Series], bool]:
    return lambda series: name in (series.name, series.title)


def _test_score(series: Series) -> bool:
    return series.kind == "test" and not series.weighed


def _test_loss(series: Series) -> bool:
    return series.kind == "test" and series.weighed


def _rate(series: Series) -> bool:
    return series.title == "train lr"


def _train_loss(series: Series) -> bool:
    return series.title == "train loss"


# By their numbers.  Caffe's take the first output of a test for its accuracy and the second for its loss; here those
# that are part of the loss are losses, and all others scores.
CHARTS = [
    Chart(f"{what} vs. {x}", x, shows)
    for what, shows in (
        ("Test accuracy", _test_score),
        ("Test loss", _test_loss),
        ("Train learning rate", _rate),
        ("Train loss", _train_loss),
    )
    for x in (ITERS, SECONDS)
]


def series_of(log: Log) -> list[Series]:
    """All that a log tells; of the training net's outputs the loss is the mean that Caffe tells beside them."""
    found = [Series("train", "loss", log.losses, weighed=True), Series("train", "lr", log.rates)]
    for kind, rows in (("train", log.train), ("test", log.test)):
        for name in dict.fromkeys(name for row in rows for name in row.outputs):
            if not any(each.points for each in found if (each.kind, each.name) == (kind, name)):
                found.append(Series(kind, name, _points(rows, name), name in log.weighed))
    return [series for series in found if series.points]


def _points(rows: Iterable[Row], name: str) -> list[Point]:
    return [Point(row.iteration, row.seconds, row.outputs[name]) for row in rows if name in row.outputs]


def panels_of(logs: Sequence[Log], x: str, chart: Chart | None, names: Sequence[str]) -> list[Panel]:
    """The panels: of a chart one; for each of `names` one; else one for losses and one for scores.

    A name is that of numbers of both kinds ("loss") or of one ("test loss").
    Raises NetcliError where no log tells what is asked for.
    """
    told = [(label, series) for label, log in zip(labels_of(logs), logs, strict=True) for series in series_of(log)]
    wanted: list[tuple[str, Callable[[Series], bool]]]
    if chart is not None:
        wanted = [(chart.title.partition(" vs.")[0].lower(), chart.shows)]
    elif names:
        wanted = [(name, _named(name)) for name in names]
    else:
        wanted = [("loss", lambda series: _train_loss(series) or _test_loss(series)), ("", _test_score)]
    panels = [
        _panel([(label, series) for label, series in told if shows(series)], what, x, len(logs) > 1)
        for what, shows in wanted
    ]
    for (what, _), panel in zip(wanted, panels, strict=True):
        if not panel.lines and (chart is not None or names):
            known = list(dict.fromkeys(name for _, series in told for name in (series.name, series.title)))
            titles = ", ".join(dict.fromkeys(series.title for _, series in told))
            raise NetcliError(f"no log tells of '{what}'{suggestion(what, known)}; there are {titles}")
    if not any(panel.lines for panel in panels):
        raise NetcliError("the logs tell of no loss and no score; --y names what to draw")
    return panels


def _panel(told: Sequence[tuple[str, Series]], what: str, x: str, several: bool) -> Panel:
    titles = list(dict.fromkeys(series.title for _, series in told))
    labels = list(dict.fromkeys(label for label, _ in told))
    one = len(titles) == 1 and several  # quantity, of several logs, whose names are told apart by the logs alone
    lines = []
    for label, series in told:
        name = label if one else f"{label}: {series.title}" if several else series.title
        # A log keeps its colour, and its numbers differ in their dashes.
        style = (labels.index(label), titles.index(series.title)) if several else None
        lines.append(Line(name, _curve(series.points, x), style))
    may_be_log = all(series.weighed or series.name == "lr" for _, series in told)
    return Panel(lines, titles[0] if one else what, may_be_log)


def _curve(points: Sequence[Point], x: str) -> list[tuple[float, float]]:
    """Over iterations the later of two numbers of one iteration counts, as after a resume."""
    if x == SECONDS:
        return [(point.seconds, point.value) for point in points]
    return sorted({float(point.iteration): point.value for point in points}.items())


def labels_of(logs: Sequence[Log]) -> list[str]:
    """What logs are called in a chart: by file, or the run folder it is in; by path where two agree."""
    labels = []
    for log in logs:
        folder, name = os.path.split(os.path.abspath(log.path))
        labels.append(os.path.basename(folder) if name in OWN_NAMES else name.removesuffix(".log"))
    return labels if len(set(labels)) == len(labels) else [log.path for log in logs]
