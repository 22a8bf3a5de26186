"""The learning curve of a run as an SVG, drawn from its metrics: loss above, scores below."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from netcli.training.chart import Line, Panel, svg
from netcli.training.hooks import Hook
from netcli.training.scores import Score

if TYPE_CHECKING:
    from netcli.training.trainer import Trainer

_log = logging.getLogger("netcli")

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


def draw_metrics(metrics: Path, curve: Path, title: str) -> None:
    """Draw what a metrics.jsonl holds so far; a file without numbers gives no curve.  Raises OSError."""
    losses, scores = read_lines(metrics)
    if any(line.points for line in losses + scores):
        curve.write_text(svg(title, [Panel(losses, may_be_log=True), Panel(scores)]), encoding="utf-8")


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
