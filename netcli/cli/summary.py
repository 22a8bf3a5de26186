"""`netcli summary`: a net's layers, their sizes, and the memory it will take, before any is taken."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace

import click

from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.ops import Ops
from netcli.cli import memory, table
from netcli.cli.options import engine_option, gpu_option, level_option, precision_option, python_option, stage_option
from netcli.cli.target import PHASES, input_option, target, with_inputs
from netcli.layers.base import TEST, TRAIN
from netcli.net import Net
from netcli.prototxt.lines import Document
from netcli.training.batch_size import batch_size, with_batch
from netcli.training.cards import device_of
from netcli.training.choices import Choice, choose
from netcli.training.memory import Part, allot, check, parts, total
from netcli.training.precision import ops_of


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
@engine_option
@precision_option
@gpu_option
@click.option("--batch", type=click.IntRange(min=1), metavar="N", help="Reckon with N images in a batch.")
@input_option
@python_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, memory in bytes.")
def command(
    path: str,
    phase: str,
    level: int | None,
    stages: tuple[str, ...],
    engine: str,
    precision: str | None,
    gpu: int | None,
    batch: int | None,
    inputs: Sequence[tuple[str, list[int]]],
    allow_python: bool,
    as_json: bool,
) -> None:
    """Show the layers of a net with the shapes they give, their parameters and multiply-adds, and the memory needed.

    Nothing is trained or run, and no memory is taken.  The memory is that of a process that trains the net, or with
    --phase TEST runs it, on this machine: what is resident at the peak, within a tenth, but for the pages of an LMDB
    that is read, which the system takes back when it wants them.  The first iterations may take more for a moment,
    while they try several ways to compute.  Of a SOLVER's nets it shows the one to train, with the memory of those that
    it tests beside it, or with --phase TEST the first one to test.

    With --gpu the memory is the card's; if that has less free, the command ends with what would fit.  cuDNN's part is
    that of the plans it takes unless others prove faster, which may work in more where that is free.
    """
    choice, solver = target(path, PHASES.index(phase), level, stages)
    document = with_inputs(choice.document, inputs)
    if batch is not None:
        document = with_batch(document, batch)
    with ExitStack() as opened:
        device = device_of(solver, gpu, engine).told()
        ops = ops_of(solver, engine, precision, device=device)
        net = opened.enter_context(closing(dry(replace(choice, document=document), ops, allow_python)))
        tests = [
            opened.enter_context(closing(dry(test, ops, allow_python, shared_with=net)))
            for test in (tested(solver, inputs) if solver is not None and choice.phase == TRAIN else [])
        ]
        own = {layer.name for layer in document.message.layer}
        found = [row for row in rows(net) if row.name in own]
        if isinstance(device, CudaDevice):
            needed = allot(device, lambda: parts(net, solver, tests))
        else:
            needed = parts(net, solver, tests)

        def needed_by(images: int) -> int:
            smaller = replace(choice, document=with_batch(document, images))
            with closing(dry(smaller, ops, allow_python)) as other:
                return total(parts(other, solver, tests))

        if as_json:
            click.echo(json_text(net, found, needed))
        else:
            click.echo("\n".join([net.name or path, "", *layer_lines(found), "", *memory.lines(needed)]))
        if isinstance(device, CudaDevice):
            passes = solver.message.iter_size if solver is not None and net.gradients else 0
            check(device, total(needed), batch_size(net), passes, needed_by)


def dry(choice: Choice, ops: Ops, allow_python: bool, shared_with: Net | None = None) -> Net:
    """The net, built as to be run, but without memory."""
    is_test = choice.is_test or choice.batches > 0
    return Net(
        choice.document,
        choice.phase,
        level=choice.level,
        stages=choice.stages,
        ops=ops,
        allow_python=allow_python,
        gradients=False if is_test else None,
        constant=shared_with is None and (is_test or choice.phase == TEST),
        shared_with=shared_with,
        dry=True,
    )


def tested(solver: Document, inputs: Sequence[tuple[str, list[int]]]) -> list[Choice]:
    """The nets that a solver tests while it trains, with those of the inputs that they have."""
    found = []
    for choice in choose(solver)[1]:
        made = {top for layer in choice.document.message.layer if not layer.bottom for top in layer.top}
        document = with_inputs(choice.document, [(name, shape) for name, shape in inputs if name in made])
        found.append(replace(choice, document=document))
    return found


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


def json_text(net: Net, found: Sequence[Row], memory: Sequence[Part]) -> str:
    """The same as JSON; memory in bytes."""
    layers = [
        {
            "name": row.name,
            "type": row.type,
            "outputs": row.outputs,
            "parameters": row.parameters,
            "multiply_adds": row.multiply_adds,
        }
        for row in found
    ]
    sizes = {part.key: part.nbytes for part in memory}
    return json.dumps({"net": net.name, "layers": layers, "memory": {**sizes, "peak": sum(sizes.values())}}, indent=2)
