"""`netcli plot-log`: charts of training logs, as Caffe's plot_training_log.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import click

from netcli.snapshots import atomic_write, check_writable
from netcli.training.chart import svg
from netcli.training.chart_image import ending_of, write_image
from netcli.training.log_chart import CHARTS, ITERS, X_LABELS, labels_of, panels_of
from netcli.training.log_parser import read_log

NAMED = 3  # logs that the title names
_NUMBERS = "; ".join(f"{number}: {chart.title}" for number, chart in enumerate(CHARTS))


def _names(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> list[str]:  # noqa: ARG001
    return [name for value in values for part in value.split(",") if (name := part.strip())]


@click.command(short_help="Draw charts of training logs.")
@click.argument("logs", metavar="LOG...", nargs=-1, required=True)
@click.argument("out", metavar="OUT")
@click.option("--chart", type=click.IntRange(0, len(CHARTS) - 1), metavar="N", help=f"{_NUMBERS}.")
@click.option(
    "--y", "names", multiple=True, metavar="NAME[,...]", callback=_names, help="Draw these, each in a panel of its own."
)
@click.option("--x", type=click.Choice(list(X_LABELS)), default=ITERS, show_default=True, help="What they go over.")
@click.option("--title", help="Default: what is drawn, or the log.")
def command(logs: Sequence[str], out: str, chart: int | None, names: Sequence[str], x: str, title: str | None) -> None:
    """Draw what training logs tell to OUT, an SVG by its name; a PNG, PDF or the like takes matplotlib.

    Each LOG is Caffe's, a run folder, or its train.log or metrics.jsonl.  Drawn are losses and test scores, unless
    --chart or --y say what: the outputs of the nets by their names, lr, and loss; "test loss" is the test's alone.
    """
    if chart is not None and names:
        raise click.UsageError("give --chart or --y, not both")
    if chart is not None:
        x = CHARTS[chart].x
    ending = ending_of(out)
    check_writable(out)
    found = [read_log(path) for path in logs]
    chosen = None if chart is None else CHARTS[chart]
    panels = panels_of(found, x, chosen, names)
    labels = labels_of(found)
    if title is None and chosen is not None and len(labels) > 1:
        title = chosen.title
    elif title is None:
        title = ", ".join(labels) if len(labels) <= NAMED else f"{len(labels)} logs"

    def write(stream: BinaryIO) -> None:
        if ending == "svg":
            stream.write(svg(title, panels, X_LABELS[x]).encode(errors="replace"))
        else:
            write_image(stream, ending, title, panels, X_LABELS[x])

    atomic_write(out, write)
    click.echo(out)
