"""The charts of chart.py as PNG, PDF or what else matplotlib can write: pip install netcli[plot]."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, BinaryIO

from netcli.errors import NetcliError, Place
from netcli.training.chart import HEIGHT, WIDTH, Panel, labelled, styled, thinned

DOTS = 150  # an inch
PIXELS = 100  # of the SVG to an inch


def formats() -> set[str]:
    """The endings of files that can be written, without their dot; raises NetcliError where matplotlib is missing."""
    return set(_figure().canvas.get_supported_filetypes())


def write_image(stream: BinaryIO, ending: str, title: str, panels: Sequence[Panel], x_label: str) -> None:
    """Write the chart that `chart.svg` draws, in the format of a file's ending; raises NetcliError as `formats`."""
    panels = [panel for panel in panels if panel.lines]
    figure = _figure(figsize=(WIDTH / PIXELS, (HEIGHT * len(panels) + 30) / PIXELS), layout="constrained")
    figure.suptitle(title, fontsize=11, fontweight="bold")
    for axes, panel in zip(figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0], panels, strict=True):
        for line, colour, dashes in styled(panel.lines):
            points = thinned(line.points)
            axes.plot(
                [x for x, _ in points],
                [y for _, y in points],
                color=colour,
                linestyle=(0, tuple(map(int, dashes.split()))) if dashes else "-",
                linewidth=1.2,
                marker="o" if len(points) <= 60 else None,
                markersize=2.5,
                label=labelled(line),
            )
        axes.set_yscale("log" if panel.is_log else "linear")
        axes.set_ylabel(panel.label)
        axes.set_xlim(left=0)
        axes.grid(color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=8, frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0)
    figure.axes[-1].set_xlabel(x_label)
    figure.savefig(stream, format=ending, dpi=DOTS)


def _figure(**options: Any) -> Any:
    """An empty figure, which no window shows."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise NetcliError("pictures other than SVG are made by matplotlib: pip install netcli[plot]") from None
    figure = Figure(**options)
    FigureCanvasAgg(figure)
    return figure


def ending_of(path: str) -> str:
    """The ending of a picture's file; raises NetcliError where no picture can be written to it."""
    ending = os.path.splitext(path)[1][1:].lower()
    if ending != "svg" and ending not in (known := formats()):
        raise NetcliError(
            f"a picture's name ends with one of {', '.join(sorted({*known, 'svg'}))}, not with '{ending}'",
            place=Place(path),
        )
    return ending
