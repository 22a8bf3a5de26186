"""`netcli draw-net`: a picture of a net, its layers as boxes and its blobs as octagons."""

from __future__ import annotations

import os

import click

from netcli.cli.options import level_option, stage_option
from netcli.cli.target import PHASES, target
from netcli.errors import NetcliError, Place
from netcli.layers.base import TRAIN
from netcli.net.rules import net_state, select_layers
from netcli.prototxt import Document
from netcli.pycaffe.draw import IMAGE_FORMATS, TEXT_FORMATS, draw_net_to_file

ALL = "ALL"


@click.command(short_help="Draw a net.")
@click.argument("net", metavar="NET-or-SOLVER")
@click.argument("out", metavar="OUT")
@click.option(
    "--rankdir",
    type=click.Choice(["LR", "TB", "BT", "RL"]),
    default="LR",
    show_default=True,
    help="Where the graph runs to: LR from left to right, TB from top to bottom.",
)
@click.option(
    "--phase",
    type=click.Choice([*PHASES, ALL]),
    default=ALL,
    show_default=True,
    help="Draw the layers of one phase, or those of both.",
)
@level_option
@stage_option
@click.option("--display-lrm", is_flag=True, help="Show the learning rate multipliers of weights and biases.")
def command(
    net: str, out: str, rankdir: str, phase: str, level: int | None, stages: tuple[str, ...], display_lrm: bool
) -> None:
    """Draw a net to OUT, whose ending says in which form: .svg, .png, .pdf, ..., or .dot or .gv, Graphviz's own text.

    It needs pydot (pip install netcli[draw]) and, for all but the text, Graphviz's program dot, of the system's package
    graphviz.  A net of an old form is drawn as it is after its upgrade.  Of a SOLVER's nets it is the one to train or,
    with --phase TEST, the first one to test.
    """
    _check_ending(out)
    document = _net(net, phase, level, stages)
    draw_net_to_file(document.message, out, rankdir, display_lrm=display_lrm)


def _check_ending(out: str) -> None:
    ending = os.path.splitext(out)[1]
    if ending.lower().removeprefix(".") not in (*TEXT_FORMATS, *IMAGE_FORMATS) or not ending:
        known = ", ".join(f".{name}" for name in sorted((*TEXT_FORMATS, *IMAGE_FORMATS)))
        raise NetcliError(f"is to end in the form of its picture: {known}", place=Place(out))


def _net(path: str, phase: str, level: int | None, stages: tuple[str, ...]) -> Document:
    """The net to draw, with the layers to draw."""
    if phase == ALL:
        if level is not None or stages:
            raise NetcliError("--level and --stage choose among the layers of one phase; give --phase too")
        return target(path, TRAIN, None, ())[0].document
    choice, _ = target(path, PHASES.index(phase), level, stages)
    document = choice.document
    return select_layers(document, net_state(document.message, choice.phase, choice.level, choice.stages))
