"""`netcli test`: score trained weights on a net's test data."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any

import click

from netcli.arrays.ops import Ops
from netcli.arrays.threads import set_threads
from netcli.augment.views import Views
from netcli.cli.options import (
    data_threads_option,
    engine_option,
    gpu_option,
    level_option,
    precision_option,
    python_option,
    stage_option,
    threads_option,
    views_options,
)
from netcli.cli.screen import Screen
from netcli.errors import NetcliError, Place
from netcli.layers.base import TEST
from netcli.layers.batches import BatchLayer
from netcli.net import Net
from netcli.prototxt import kind, read_net, read_solver
from netcli.prototxt.lines import Document
from netcli.training.cards import device_of
from netcli.training.choices import Choice, choose
from netcli.training.finite import finite
from netcli.training.precision import ops_of
from netcli.training.scores import Score, by_name, outputs_of, score
from netcli.training.view_test import ViewTest
from netcli.training.weights import load_all_weights, split_paths

ITERATIONS = 50  # Caffe's default


@click.command(short_help="Score trained weights on test data.")
@click.argument("net_or_solver", metavar="NET-or-SOLVER")
@click.option("--weights", multiple=True, required=True, metavar="FILE[,...]", help="Caffemodels, one after another.")
@click.option(
    "--iterations",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Batches to average over.  Default: a solver's test_iter; for a net {ITERATIONS}, as in Caffe.",
)
@views_options
@level_option
@stage_option
@engine_option
@precision_option
@threads_option
@data_threads_option
@gpu_option
@python_option
@click.option("--batches", "each", is_flag=True, help="Print the outputs of every batch too.")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object; of a solver's several test nets a list of them."
)
def command(
    net_or_solver: str,
    weights: Sequence[str],
    iterations: int | None,
    views: Views,
    level: int | None,
    stages: tuple[str, ...],
    engine: str,
    precision: str | None,
    gpu: int | None,
    threads: int | None,
    allow_python: bool,
    each: bool,
    as_json: bool,
) -> None:
    """Print the mean outputs of a net in its TEST phase.

    Of a solver, all its test nets are scored.  With --ten-crop, --whole or --scales the probabilities of several views
    of each image are averaged before losses and accuracies are computed.
    """
    paths = split_paths(weights)
    for path in paths:
        if path.endswith((".solverstate", ".solverstate.h5")):
            raise NetcliError("is a solver state; the weights are in the .caffemodel beside it", place=Place(path))
    if threads is not None:
        set_threads(threads)
    choices, solver = _choices(net_or_solver, level, stages)
    ops = ops_of(solver, engine, precision, device=device_of(solver, gpu, engine).told())
    results = []
    for number, choice in enumerate(choices):
        with contextlib.ExitStack() as stack:
            screen = Screen(quiet=as_json)
            stack.callback(screen.close)
            net = _built(choice, views, ops, allow_python, paths)
            stack.callback(net.close)
            result = _score(net, iterations or choice.batches, screen, each)
            screen.clear()
            if not as_json:
                if len(choices) > 1:
                    screen.say(f"Test net #{number} ({choice.origin})")
                _tell(screen, net, result, views)
            results.append(_plain(net, paths, result, views))
    if as_json:
        click.echo(json.dumps(finite(results[0] if len(results) == 1 else results), allow_nan=False))


def _choices(path: str, level: int | None, stages: tuple[str, ...]) -> tuple[list[Choice], Document | None]:
    """The nets to score, the one of a net file or those a solver tests, and the solver."""
    if kind(path) != "solver":
        return [Choice(read_net(path), f"net file: {path}", path, TEST, level, stages, ITERATIONS)], None
    solver = read_solver(path)
    _, choices = choose(solver)
    if not choices:
        raise NetcliError("the solver has no test net; give the net to test instead", place=Place(path))
    return [choice.with_state(level, stages) for choice in choices], solver


def _built(choice: Choice, views: Views, ops: Ops, allow_python: bool, weights: Sequence[str]) -> Net | ViewTest:
    """The net to score, with its weights."""
    if views.are_several:
        test = ViewTest(choice, views, ops=ops, allow_python=allow_python)
        try:
            test.load(weights)
        except BaseException:
            test.close()
            raise
        return test
    net = choice.build(ops=ops, seed=0, allow_python=allow_python)
    try:
        load_all_weights(net, weights)
    except BaseException:
        net.close()
        raise
    return net


def _score(net: Net | ViewTest, batches: int, screen: Screen, each: bool) -> Score:
    def before(batch: int) -> bool:
        if each and batch:
            for output in outputs_of(net):
                screen.say(f"Batch {batch - 1}, {output.name} = {output.value:g}")
        if screen.live and screen.due():
            screen.progress(f"{net.name}  {batch}/{batches} batches")
        return True

    result = score(net, batches, before)
    before(batches)
    assert result is not None  # `before` stops nothing
    return result


def _tell(screen: Screen, net: Net | ViewTest, result: Score, views: Views) -> None:
    screen.say(f"Loss: {result.loss:g}")
    for output in result.outputs:
        screen.say(str(output))
    shown = f"; of each image {views}" if views.are_several else ""
    screen.say(f"({_covered(net, result)}{shown})")


def _covered(net: Net | ViewTest, result: Score) -> str:
    """What the means are over, in words."""
    batches = f"{result.batches} batch{'' if result.batches == 1 else 'es'}"
    sizes = [len(layer.source) for layer in net.sources.values() if isinstance(layer, BatchLayer)]
    if result.records is None or not sizes:
        return f"means over {batches}"
    size = max(sizes)
    if result.records % size == 0:
        times = result.records // size
        return f"means over {batches}: all {size} records{'' if times == 1 else f', {times} times'}"
    return f"means over {batches}: {result.records} records, of a source of {size}"


def _plain(net: Net | ViewTest, paths: Sequence[str], result: Score, views: Views) -> dict[str, Any]:
    """The result as JSON has it."""
    return {
        "net": net.name,
        "weights": list(paths),
        "iterations": result.batches,
        "records": result.records,
        "loss": result.loss,
        "outputs": by_name(result.outputs),
        **({"views": str(views)} if views.are_several else {}),
    }
