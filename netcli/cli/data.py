"""`netcli data`: a look at a net's images and labels before it is trained, and how fast they come."""

from __future__ import annotations

import json
import logging
from contextlib import ExitStack
from functools import partial
from typing import Any

import click

from netcli.arrays.ops import Ops
from netcli.cli import data_report
from netcli.cli.check import states
from netcli.cli.options import level_option, python_option, stage_option, threads_option
from netcli.cli.progress import progress
from netcli.cli.target import PHASES
from netcli.errors import NetcliError, Place
from netcli.layers.base import TRAIN
from netcli.layers.batches import BatchLayer
from netcli.net import Net
from netcli.net.label_range import LabelRange, label_ranges
from netcli.prototxt import kind, read_net, read_solver
from netcli.sources.duplicates import ALIKE
from netcli.training.choices import Choice, choose
from netcli.training.data_layers import DataLayer, data_layers, pipeline_rate
from netcli.training.data_survey import Looked, look, pairs_of

log = logging.getLogger("netcli")


@click.command(short_help="Look at a net's images and labels, or time how they come.")
@click.argument("path", metavar="NET-or-SOLVER")
@click.option("--phase", type=click.Choice(PHASES), help="Default: both; with --time TRAIN.")
@level_option
@stage_option
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Look at N images of each set, evenly spread.")
@click.option("--no-duplicates", is_flag=True, help="Do not look for images that are there twice.")
@click.option(
    "--near",
    type=click.FloatRange(0.9, 1),
    default=ALIKE,
    show_default=True,
    help="Correlation of small images from which on two are nearly the same.",
)
@click.option("--time", "seconds", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Time instead.")
@threads_option
@python_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    path: str,
    phase: str | None,
    level: int | None,
    stages: tuple[str, ...],
    sample: int | None,
    no_duplicates: bool,
    near: float,
    seconds: float | None,
    threads: int | None,
    allow_python: bool,
    as_json: bool,
) -> None:
    """Look at what the Data and ImageData layers of a net will read: every image is decoded once.

    Shows how many images each class has, sizes, the channels' means and deviations, images that can't be read, labels
    that the net has no output for, classes without images, and images that are there twice or nearly so, within a set
    and between TRAIN and TEST, where they spoil the test.  Of a SOLVER's nets it looks at all.

    With --time the data layers of one phase run alone for so many seconds, and images a second are printed.
    """
    choices = _choices(path, None if phase is None else PHASES.index(phase), level, stages)
    if seconds is not None:
        if sample is not None or no_duplicates:
            raise click.UsageError("--time goes with neither --sample nor --no-duplicates")
        _time(path, choices, seconds, threads, as_json)
        return
    with ExitStack() as opened:
        found = _look(path, choices, sample, threads, allow_python, opened)
        pairs = None if no_duplicates else pairs_of(found, near)
        click.echo(data_report.json_text(found, pairs) if as_json else "\n".join(data_report.lines(found, pairs)))


def _choices(path: str, phase: int | None, level: int | None, stages: tuple[str, ...]) -> list[Choice]:
    """The nets of a file, in the phases asked for; of a net those that it is made for."""
    found = kind(path)
    if found == "solver":
        train, tests = choose(read_solver(path))
        chosen = [choice.with_state(level, stages) for choice in (train, *tests)]
    elif found == "net":
        document = read_net(path)
        wanted = [(each, stages) for each in range(len(PHASES))] if stages else states(document)
        if phase is not None:
            wanted = [state for state in wanted if state[0] == phase] or [(phase, stages)]
        chosen = [Choice(document, path, path, each, level, of_state) for each, of_state in wanted]
    else:
        raise NetcliError(f"is a {found}, neither a net nor a solver", place=Place(path))
    return [choice for choice in chosen if phase is None or choice.phase == phase]


def _look(
    path: str, choices: list[Choice], sample: int | None, threads: int | None, allow_python: bool, opened: ExitStack
) -> list[Looked]:
    """Look at each layer once, though several nets may have it; the sources stay open."""
    sets: dict[tuple[str, bytes], list[tuple[DataLayer, Choice]]] = {}
    for choice in choices:
        for each in data_layers(choice):
            if each.reads_images:
                sets.setdefault(each.key, []).append((each, choice))
            else:
                log.warning("layer '%s' (%s) has no images to look at one by one", each.param.name, each.param.type)
    if not sets:
        raise NetcliError("has no Data or ImageData layer to look at", place=Place(path))
    found = []
    for same in sets.values():
        phases = ", ".join(dict.fromkeys(PHASES[each.phase] for each, _ in same))
        first = same[0][0]
        ranges = [each for layer, choice in same for each in _ranges(layer, choice, allow_python)]
        layer = first.uncached().make(Ops("plain"))
        assert isinstance(layer, BatchLayer)
        opened.callback(layer.close)
        name = f"{phases} '{first.param.name}'"
        with first.placed():
            found.append(look(name, layer, ranges, sample, threads, partial(progress, label=name)))
    return found


def _ranges(layer: DataLayer, choice: Choice, allow_python: bool) -> list[LabelRange]:
    """The labels that the net takes of a layer; a net that can't be built is told of, and takes any."""
    if len(layer.param.top) < 2:
        return []
    logger = logging.getLogger("netcli")
    before = logger.level
    logger.setLevel(logging.ERROR)  # what layers warn of is said when they are looked at
    try:
        net = Net(
            choice.document,
            choice.phase,
            level=choice.level,
            stages=choice.stages,
            ops=Ops("plain"),
            allow_python=allow_python,
            gradients=False,
            dry=True,
        )
    except NetcliError as fault:
        logger.setLevel(before)
        log.warning("labels are not held against the net's classes, for it can't be built: %s", fault)
        return []
    finally:
        logger.setLevel(before)
    try:
        return label_ranges(net, layer.param.top[1])
    finally:
        net.close()


def _time(path: str, choices: list[Choice], seconds: float, threads: int | None, as_json: bool) -> None:
    choice = next((each for each in choices if each.phase == TRAIN), choices[0] if choices else None)
    layers = [] if choice is None else data_layers(choice)
    if choice is None or not layers:
        raise NetcliError("has no data layer to time", place=Place(path))
    rate = pipeline_rate(layers, seconds, threads)
    parts = sorted(rate.parts)
    found: dict[str, Any] = {
        "phase": PHASES[choice.phase],
        "layers": [each.param.name for each in layers],
        "threads": threads,
        "images": rate.images,
        "seconds": round(rate.seconds, 6),
        "images_per_second": round(rate.per_second, 3),
        "least": round(parts[0], 3),
        "median": round(parts[len(parts) // 2], 3),
        "most": round(parts[-1], 3),
    }
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    names = ", ".join(f"'{name}'" for name in found["layers"])
    click.echo(
        f"{rate.per_second:,.1f} images/s by {names} in {found['phase']}: {rate.images:,} in {rate.seconds:.2f} s; "
        f"{parts[0]:,.1f} to {parts[-1]:,.1f}, median {found['median']:,.1f}, over {len(parts)} "
        f"part{'' if len(parts) == 1 else 's'} of that time"
    )
