"""The net that a command acts on: a net's file, or one of those a solver names."""

from __future__ import annotations

import re
from collections.abc import Sequence

import click

from netcli.errors import NetcliError, Place, suggestion
from netcli.layers.base import TRAIN
from netcli.prototxt import kind, read_net, read_solver, schema
from netcli.prototxt.lines import Document
from netcli.training.choices import Choice, choose

PHASES = ["TRAIN", "TEST"]  # by their numbers


def named_shapes(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> list[tuple[str, list[int]]]:
    """The callback of an option NAME=64x3x227x227 (or commas): (name, shape) of each."""
    found = []
    for value in values:
        name, _, shape = value.partition("=")
        if not name or not re.fullmatch(r"[1-9]\d*([x,][1-9]\d*)*", shape):
            raise click.BadParameter(f"'{value}' is not like data=64x3x227x227", ctx, param)
        found.append((name, [int(size) for size in re.split("[x,]", shape)]))
    return found


input_option = click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME=SHAPE",
    callback=named_shapes,
    help="Put an input of this shape in place of the layer that makes NAME, and try the net without its data.",
)


def with_inputs(document: Document, shapes: Sequence[tuple[str, list[int]]]) -> Document:
    """The net with an Input layer in place of each layer without bottoms that makes one of these blobs.

    The other tops of such a layer, labels, become one number for each image; raises NetcliError for a blob that
    no such layer makes.
    """
    message = schema.NetParameter()
    message.CopyFrom(document.message)
    makers = [layer for layer in message.layer if not layer.bottom]
    for name, shape in shapes:
        found = [layer for layer in makers if name in layer.top]
        if not found:
            known = [top for layer in makers for top in layer.top]
            raise NetcliError(
                f"no data layer makes a blob '{name}'{suggestion(name, known)}", place=document.lines.place()
            )
        for layer in found:
            tops = list(layer.top)
            if layer.type != "Input" or len(layer.input_param.shape) != len(tops):
                kept = schema.LayerParameter(
                    name=layer.name, type="Input", top=tops, include=layer.include, exclude=layer.exclude
                )
                layer.CopyFrom(kept)
                for _ in tops:
                    layer.input_param.shape.add(dim=shape[:1])
            layer.input_param.shape[tops.index(name)].dim[:] = shape
    return Document(message, document.lines)


def target(path: str, phase: int, level: int | None, stages: tuple[str, ...]) -> tuple[Choice, Document | None]:
    """The net at `path` in a phase, and the solver if the path is one.

    Of a solver's nets that is the one to train, or in TEST the first one to test.
    """
    found = kind(path)
    if found == "net":
        return Choice(read_net(path), path, path, phase, level, stages), None
    if found != "solver":
        raise NetcliError(f"is a {found}, neither a net nor a solver", place=Place(path))
    solver = read_solver(path)
    train, tests = choose(solver)
    if phase != TRAIN and not tests:
        raise NetcliError("this solver has no test net; give the net itself", place=Place(path))
    choice = train if phase == TRAIN else tests[0]
    return choice.with_state(level, stages), solver
