"""`netcli time`: how long each layer takes, as `caffe time`."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

import click

from netcli.arrays.threads import set_threads
from netcli.cli import table
from netcli.cli.options import (
    data_threads_option,
    engine_option,
    gpu_option,
    level_option,
    precision_option,
    python_option,
    stage_option,
    threads_option,
)
from netcli.cli.target import PHASES, input_option, target, with_inputs
from netcli.layers.base import TEST
from netcli.net import Net
from netcli.training.cards import device_of
from netcli.training.precision import ops_of


@dataclass
class Times:
    """Seconds in all iterations together: of each layer, and of the whole passes."""

    iterations: int
    forward: list[float]
    backward: list[float]
    forward_pass: float = 0.0
    backward_pass: float = 0.0


@click.command(short_help="Measure how long each layer takes.")
@click.argument("path", metavar="NET-or-SOLVER")
@click.option("--iterations", type=click.IntRange(min=1), default=50, show_default=True)
@click.option("--phase", type=click.Choice(PHASES), default="TRAIN", show_default=True)
@level_option
@stage_option
@engine_option
@data_threads_option
@precision_option
@gpu_option
@input_option
@threads_option
@python_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, times in milliseconds.")
def command(
    path: str,
    iterations: int,
    phase: str,
    level: int | None,
    stages: tuple[str, ...],
    engine: str,
    precision: str | None,
    gpu: int | None,
    inputs: Sequence[tuple[str, list[int]]],
    threads: int | None,
    allow_python: bool,
    as_json: bool,
) -> None:
    """Measure how long each layer of a net takes, on the average of some iterations after a first that is not counted.

    The net has random weights.  In TRAIN the backward pass is measured too.
    """
    if threads is not None:
        set_threads(threads)
    choice, solver = target(path, PHASES.index(phase), level, stages)
    net = Net(
        with_inputs(choice.document, inputs),
        choice.phase,
        level=choice.level,
        stages=choice.stages,
        ops=ops_of(solver, engine, precision, device=device_of(solver, gpu, engine).device),
        allow_python=allow_python,
        constant=choice.phase == TEST,
    )
    try:
        measure(net, 1)
        times = measure(net, iterations)
        click.echo(json_text(net, times) if as_json else "\n".join(table_lines(net, times)))
    finally:
        net.close()


def measure(net: Net, iterations: int) -> Times:
    """Run forward and, where the net has gradients, backward, layer by layer."""
    layers = range(len(net.layers))
    times = Times(iterations, [0.0] * len(layers), [0.0] * len(layers))
    clock = time.perf_counter
    for _ in range(iterations):
        begin = start = clock()
        for i in layers:
            net.forward(i, i)
            end = clock()
            times.forward[i] += end - start
            start = end
        times.forward_pass += start - begin
        if not net.gradients:
            continue
        net.clear_diffs()
        begin = start = clock()
        for i in reversed(layers):
            net.backward(i, i)
            end = clock()
            times.backward[i] += end - start
            start = end
        times.backward_pass += start - begin
    return times


def table_lines(net: Net, times: Times) -> list[str]:
    """The table of layers, in the net's order, with the passes below; of a layer whose work another does, which."""

    def milliseconds(seconds: float) -> str:
        return f"{seconds / times.iterations * 1e3:.3f}"

    head = ["layer", "type", "forward ms"]
    found = [
        [layer.name, layer.type, milliseconds(forward) if by == i else f"in {net.layers[by].name}"]
        for i, (layer, forward, by) in enumerate(zip(net.layers, times.forward, net.done_by, strict=True))
    ]
    sums = ["", "", milliseconds(times.forward_pass)]
    if net.gradients:
        head.append("backward ms")
        for row, backward in zip(found, times.backward, strict=True):
            row.append(milliseconds(backward))
        sums.append(milliseconds(times.backward_pass))
    both = milliseconds(times.forward_pass + times.backward_pass)
    return [
        *table.lines(head, [*found, sums], left=2),
        "",
        f"{both} ms an iteration, on the average of {times.iterations}",
    ]


def json_text(net: Net, times: Times) -> str:
    """The same as JSON."""

    def milliseconds(seconds: float) -> float:
        return round(seconds / times.iterations * 1e3, 6)

    return json.dumps(
        {
            "net": net.name,
            "phase": PHASES[net.phase],
            "engine": net.context.ops.engine,
            "precision": net.context.ops.precision,
            "iterations": times.iterations,
            "layers": [
                {
                    "name": layer.name,
                    "type": layer.type,
                    "done_by": net.layers[by].name,
                    "forward_ms": milliseconds(forward),
                    "backward_ms": milliseconds(backward),
                }
                for layer, by, forward, backward in zip(
                    net.layers, net.done_by, times.forward, times.backward, strict=True
                )
            ],
            "forward_ms": milliseconds(times.forward_pass),
            "backward_ms": milliseconds(times.backward_pass),
            "total_ms": milliseconds(times.forward_pass + times.backward_pass),
        },
        indent=2,
    )
