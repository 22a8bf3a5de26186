"""`netcli summary`: a net's layers, their sizes, and the memory it will take, before any is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click
import numpy as np

from netcli.arrays.ops import Ops
from netcli.cli import table
from netcli.cli.options import level_option, python_option, stage_option
from netcli.cli.target import PHASES, input_option, target, with_inputs
from netcli.layers.batches import BatchLayer
from netcli.net import Net
from netcli.prototxt.lines import Document
from netcli.solvers import solver_types


@dataclass
class Row:
    """A layer; `parameters` counts numbers, those it shares with an earlier layer not again."""

    name: str
    type: str
    outputs: list[tuple[int, ...]]
    parameters: int
    multiply_adds: int


@click.command(short_help="Show a net's layers, sizes and memory.")
@click.argument("path", metavar="NET-or-SOLVER")
@click.option("--phase", type=click.Choice(PHASES), default="TRAIN", show_default=True)
@level_option
@stage_option
@click.option("--batch", type=click.IntRange(min=1), metavar="N", help="Reckon with N images in a batch.")
@input_option
@python_option
def command(
    path: str,
    phase: str,
    level: int | None,
    stages: tuple[str, ...],
    batch: int | None,
    inputs: Sequence[tuple[str, list[int]]],
    allow_python: bool,
) -> None:
    """Show the layers of a net with the shapes they give, their parameters and multiply-adds, and the memory needed.

    Nothing is trained or run, and no memory is taken.  The memory shown is without the engine's own work space, which
    depends on the processor; oneDNN's took AlexNet and GoogLeNet 0.4 times as much again.  Of a SOLVER's nets it shows
    the one to train, or with --phase TEST the first one to test.
    """
    choice, solver = target(path, PHASES.index(phase), level, stages)
    document = with_inputs(choice.document, inputs)
    if batch is not None:
        document = with_batch(document, batch)
    net = Net(
        document,
        choice.phase,
        level=choice.level,
        stages=choice.stages,
        ops=Ops("plain"),  # which know shapes as well as the others, and prepare nothing
        allow_python=allow_python,
        dry=True,
    )
    try:
        own = {layer.name for layer in document.message.layer}
        for line in [net.name or path, "", *layer_lines([row for row in rows(net) if row.name in own])]:
            click.echo(line)
        click.echo()
        for line in memory_lines(net, solver):
            click.echo(line)
    finally:
        net.close()


def rows(net: Net) -> list[Row]:
    """A row for each layer, splits too."""
    owned: dict[str, int] = {}
    for parameter in net.learnable:
        owned[parameter.layer] = owned.get(parameter.layer, 0) + parameter.blob.count
    return [
        Row(layer.name, layer.type, [b.shape for b in top], owned.get(layer.name, 0), layer.multiply_adds(bottom, top))
        for layer, bottom, top in zip(net.layers, net.bottoms, net.tops, strict=True)
    ]


def layer_lines(found: Sequence[Row]) -> list[str]:
    """The table of layers, with its sums."""
    head = ("layer", "type", "output", "parameters", "multiply-adds")
    cells = [
        (
            row.name,
            row.type,
            ", ".join(_shape(s) for s in row.outputs),
            _number(row.parameters),
            _number(row.multiply_adds),
        )
        for row in found
    ]
    sums = ("", "", "", f"{sum(row.parameters for row in found):,}", f"{sum(row.multiply_adds for row in found):,}")
    return table.lines(head, [*cells, sums], left=3)


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) if shape else "1"


def _number(value: int) -> str:
    return f"{value:,}" if value else ""


def memory_lines(net: Net, solver: Document | None) -> list[str]:
    """What the net will take; of a solver the history too."""
    plan = net.memory
    entries = [("parameters", plan.parameters), ("gradients", plan.gradients)]
    if solver is not None and net.gradients:
        moments = solver_types()[solver.message.type].moments
        count = sum(p.blob.count for p in net.learnable)
        entries.append((f"{solver.message.type}'s history", moments * count * np.dtype(net.context.dtype).itemsize))
    ahead = sum(layer.ahead_nbytes for layer in net.layers if isinstance(layer, BatchLayer))
    activations = "activations" + (" and their gradients" if plan.diffs else "")
    entries.append((activations, plan.arena + plan.apart))
    entries.append(("batches made ahead", ahead))
    cells = [(name, table.size_of(size)) for name, size in entries if size]
    cells.append(("memory", table.size_of(sum(size for _, size in entries))))
    lines = table.lines(("", ""), cells, left=1)[1:]
    alone = plan.activations + plan.diffs
    if alone > plan.arena + plan.apart:
        lines[[name for name, _ in cells].index(activations)] += f" ({table.size_of(alone)} if each had its own place)"
    return lines


def with_batch(document: Document, images: int) -> Document:
    """The net with so many images in each batch: of data layers the batch_size, of other sources the first axis."""
    message = type(document.message)()
    message.CopyFrom(document.message)
    for layer in message.layer:
        if layer.bottom:
            continue
        for field, value in layer.ListFields():
            if field.name.endswith("_param") and field.message_type and not field.is_repeated:
                _set_batch(value, images)
    return Document(message, document.lines)


def _set_batch(param: Any, images: int) -> None:
    fields = param.DESCRIPTOR.fields_by_name
    if "batch_size" in fields:
        param.batch_size = images
    for shape in param.shape if "shape" in fields else ():
        if shape.dim:
            shape.dim[0] = images
    if "num" in fields and param.num:
        param.num[:] = [images] * len(param.num)
