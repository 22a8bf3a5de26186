"""`netcli time`: how long each layer takes, as `caffe time`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

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
from netcli.snapshots.atomic import atomic_stream, check_writable
from netcli.training.cards import device_of
from netcli.training.precision import ops_of
from netcli.training.trace import Recorder, Span, title_of, trace

REPLAYED = 3  # whole iterations after which they are replayed, where the device does that


@dataclass
class Times:
    """Seconds in all iterations together: of each layer, and of the whole passes.

    spans     of each layer's pass, in turn, and of what was read ahead
    replayed  whole iterations, not layer by layer, on a device that replays them
    """

    iterations: int
    forward: list[float]
    backward: list[float]
    forward_pass: float = 0.0
    backward_pass: float = 0.0
    spans: list[Span] = field(default_factory=list)
    replayed: float | None = None


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
@click.option(
    "--profile",
    metavar="FILE",
    help="Write a trace of all passes, for Perfetto or chrome://tracing; on a card the layers have NVTX ranges too.",
)
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
    profile: str | None,
    as_json: bool,
) -> None:
    """Measure how long each layer of a net takes, on the average of some iterations after a first that is not counted.

    The net has random weights.  In TRAIN the backward pass is measured too.  On a card its own clock measures, and
    whole iterations are measured as well, which are replayed there: small layers take less in them than by themselves,
    for which the card waits to be asked.
    """
    if profile is not None:
        check_writable(profile)
    if threads is not None:
        set_threads(threads)
    choice, solver = target(path, PHASES.index(phase), level, stages)
    net = Net(
        with_inputs(choice.document, inputs),
        choice.phase,
        level=choice.level,
        stages=choice.stages,
        ops=ops_of(solver, engine, precision, device=device_of(solver, gpu, engine).told()),
        allow_python=allow_python,
        constant=choice.phase == TEST,
    )
    try:
        measure(net, 1)
        times = measure(net, iterations, named=profile is not None)
        times.replayed = measure_replayed(net, iterations)
        if profile is not None:
            with atomic_stream(profile) as stream:
                stream.write(trace(title_of(net), times.spans).encode())
        click.echo(json_text(net, times) if as_json else "\n".join(table_lines(net, times)))
    finally:
        net.close()


def measure(net: Net, iterations: int, named: bool = False) -> Times:
    """Run forward and, where the net has gradients, backward, looking at each layer.

    named: each layer's pass has its name for programs that look on
    """
    device = net.context.device
    recorder = Recorder(device, named)
    marks = []  # at the beginning, between the passes and at the end of each iteration
    with recorder.watch(net):
        for _ in range(iterations):
            start = device.mark()
            net.forward()
            between = device.mark()
            if net.gradients:
                net.clear_diffs()
                net.backward()
            marks.append((start, between, device.mark()))
    times = Times(iterations, [0.0] * len(net.layers), [0.0] * len(net.layers), spans=recorder.spans())
    for span in times.spans:
        if span.number is not None:
            (times.backward if span.kind == "backward" else times.forward)[span.number] += span.seconds
    times.forward_pass = sum(device.between(start, between) for start, between, _ in marks)
    if net.gradients:
        times.backward_pass = sum(device.between(between, end) for _, between, end in marks)
    return times


def measure_replayed(net: Net, iterations: int) -> float | None:
    """Seconds of whole iterations as they are replayed; None on a device that replays none."""
    device = net.context.device
    if not device.records:
        return None
    start = device.mark()
    for number in range(REPLAYED + iterations):
        if number == REPLAYED:
            start = device.mark()
        net.forward()
        if net.gradients:
            net.clear_diffs()
            net.backward()
    return device.between(start, device.mark())


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
    lines = [
        *table.lines(head, [*found, sums], left=2),
        "",
        f"{both} ms an iteration, on the average of {times.iterations}",
    ]
    if times.replayed is not None:
        lines.append(f"{milliseconds(times.replayed)} ms an iteration as it is replayed")
    return lines


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
            **({} if times.replayed is None else {"replayed_ms": milliseconds(times.replayed)}),
        },
        indent=2,
    )
