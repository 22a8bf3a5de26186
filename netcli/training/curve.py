"""The learning curve of a run as an SVG, drawn from its metrics: loss above, scores below."""

from __future__ import annotations

import itertools
import json
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from netcli.training.hooks import Hook
from netcli.training.scores import Score

if TYPE_CHECKING:
    from netcli.training.trainer import Trainer

_log = logging.getLogger("netcli")

WIDTH, HEIGHT = 720, 250  # of one panel with one row of names, in pixels
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 34, 34  # margins of the axes in it
ROW = 16  # of names
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")  # Tol's "bright": told apart by all eyes
POINTS = 600  # of a line; more than that are averaged, a line is not wider in pixels
LOG_FROM = 30.0  # losses that span this factor are drawn on a logarithmic axis
REDRAWN = 20.0  # seconds between drawings while the run goes on


class Curve(Hook):
    """Draws the curve from the metrics that are written, after tests and at the end; given after Metrics."""

    def __init__(self, metrics: Path, curve: Path) -> None:
        self.metrics = metrics
        self.curve = curve
        self._drawn = 0.0

    def tested(self, run: Trainer, index: int, score: Score | None) -> None:  # noqa: ARG002
        if time.monotonic() - self._drawn >= REDRAWN:
            self._draw(run)

    def end(self, run: Trainer) -> None:
        self._draw(run)

    def _draw(self, run: Trainer) -> None:
        self._drawn = time.monotonic()
        try:
            draw_metrics(self.metrics, self.curve, run.net.name)
        except OSError as fault:
            _log.warning("%s can't be drawn (%s)", self.curve, fault.strerror or fault)


@dataclass
class Line:
    """A curve: its name and its (iteration, value) in order."""

    name: str
    points: list[tuple[float, float]]


def draw_metrics(metrics: Path, curve: Path, title: str) -> None:
    """Draw what a metrics.jsonl holds so far; a file without numbers gives no curve.  Raises OSError."""
    losses, scores = read_lines(metrics)
    if any(line.points for line in losses + scores):
        curve.write_text(svg(title, losses, scores), encoding="utf-8")


def read_lines(metrics: Path) -> tuple[list[Line], list[Line]]:
    """The lines of the losses and those of the scores (test outputs of one item without a weight in the loss).

    Where an iteration is told twice, as after a resume, the later number counts.  A line that a full disk or a
    kill has cut off is passed over.
    """
    train: dict[int, float] = {}
    losses: dict[str, dict[int, float]] = {}
    scores: dict[str, dict[int, float]] = {}
    with open(metrics, encoding="utf-8") as lines:
        for text in lines:
            try:
                entry = json.loads(text)
            except ValueError:
                continue
            i, loss = entry["iteration"], entry.get("loss")
            if entry["kind"] == "train" and loss is not None:
                train[i] = loss
            elif entry["kind"] == "test":
                net = f" {entry['net']}" if entry["net"] else ""
                if entry["losses"] and loss is not None:
                    losses.setdefault(f"test{net} loss", {})[i] = loss
                for name, value in entry["outputs"].items():
                    if name not in entry["losses"] and isinstance(value, float):
                        scores.setdefault(f"test{net} {name}", {})[i] = value
    named = {"training loss": train, **losses} if train else losses
    return (
        [Line(name, sorted(points.items())) for name, points in named.items()],
        [Line(name, sorted(points.items())) for name, points in scores.items()],
    )


def svg(title: str, losses: Sequence[Line], scores: Sequence[Line]) -> str:
    """The picture: a panel for the losses and one for the scores, where there are any."""
    panels = [[line for line in lines if line.points] for lines in (losses, scores)]
    x_max = max((x for lines in panels for line in lines for x, _ in line.points), default=1) or 1
    drawn: list[str] = []
    top = 14.0
    for lines, may_be_log in zip(panels, (True, False), strict=True):
        if lines:
            legend, rows = _legend(lines, top + TOP - 12)
            top += (rows - 1) * ROW
            drawn += legend + _panel(lines, top, x_max, may_be_log)
            top += HEIGHT
    height = int(top) + 8
    size = f'width="{WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"',
        'font-size="12" fill="#333">',
        f'<rect {size} fill="#fff"/>',
        f'<text x="{LEFT}" y="18" font-size="14" font-weight="bold">{escape(title)}</text>',
        *drawn,
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:g}" y="{height - 6}" text-anchor="middle">iteration</text>',
    ]
    return "\n".join([*parts, "</svg>\n"])


def _legend(lines: Sequence[Line], top: float) -> tuple[list[str], int]:
    """The names of lines with their last values, side by side; and how many rows they take."""
    parts = []
    x, rows = float(LEFT), 1
    for line, colour in zip(lines, itertools.cycle(COLOURS), strict=False):
        label = f"{line.name} {line.points[-1][1]:.4g}"
        width = 34 + 6.6 * len(label)  # a letter of this font is about so wide
        if x > LEFT and x + width > WIDTH:
            x, rows = float(LEFT), rows + 1
        y = top + (rows - 1) * ROW
        parts.append(f'<path d="M{x:g} {y:g}h16" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{x + 20:g}" y="{y + 4:g}">{escape(label)}</text>')
        x += width
    return parts, rows


def _panel(lines: Sequence[Line], top: float, x_max: float, may_be_log: bool) -> list[str]:
    values = [y for line in lines for _, y in line.points]
    low, high = min(values), max(values)
    log = may_be_log and low > 0 and high / low >= LOG_FROM
    ticks = _log_ticks(low, high) if log else _ticks(low, high)
    scale = math.log10 if log else float
    first, last = scale(ticks[0]), scale(ticks[-1])

    def at(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - RIGHT) * x / x_max
        up = (scale(y) - first) / (last - first)
        return across, top + HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * up

    parts = []
    for tick in ticks:
        y = at(0, tick)[1]
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in _ticks(0, x_max):
        if tick <= x_max:
            x, y = at(tick, ticks[0])
            parts.append(f'<path d="M{x:.1f} {y:.1f}v4" stroke="#999"/>')
            parts.append(f'<text x="{x:.1f}" y="{y + 17:.1f}" text-anchor="middle">{tick:g}</text>')
    for line, colour in zip(lines, itertools.cycle(COLOURS), strict=False):
        spots = [at(x, y) for x, y in thinned(line.points)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        if len(spots) <= 60:  # few enough to be seen one by one; a single point is no line at all
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{colour}"/>' for x, y in spots]
    return parts


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most POINTS points: the means of groups of neighbours."""
    group = math.ceil(len(points) / POINTS)
    if group <= 1:
        return list(points)
    groups = [points[i : i + group] for i in range(0, len(points), group)]
    return [(sum(x for x, _ in some) / len(some), sum(y for _, y in some) / len(some)) for some in groups]


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers, about five, from at most `low` to at least `high`."""
    span = high - low or abs(high) or 1.0
    rough = span / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * f for f in (1, 2, 5, 10) if power * f >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, max(last, first + 1) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten, or the powers alone where those are many, around low .. high."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    heads = (1, 2, 5) if last - first <= 3 else (1,)
    ticks = [h * 10.0**e for e in range(first, last + 1) for h in heads]
    inside = [t for t in ticks if low < t < high]
    return [max(t for t in ticks if t <= low), *inside, min((t for t in ticks if t >= high), default=10.0**last)]
