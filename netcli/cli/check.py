"""`netcli check`: the faults of nets and solvers, before anything is trained."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence

import click

from netcli.arrays.ops import Ops
from netcli.cli.target import PHASES
from netcli.errors import NetcliError
from netcli.layers.base import TRAIN
from netcli.net import Net
from netcli.net.rules import net_state, select_layers
from netcli.prototxt import Document, kind, read, read_net, read_solver, schema
from netcli.solvers import make_solver
from netcli.training.checks import check_solver
from netcli.training.choices import choose

State = tuple[int, tuple[str, ...]]  # a phase, and stages


@click.command(short_help="Find the faults in nets and solvers.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--syntax-only", is_flag=True, help="Read the files, and build no net.")
@click.option("--allow-python", is_flag=True, help="Let Python layers of the nets run their code.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: file, ok, error (null where ok).")
def command(files: Sequence[str], syntax_only: bool, allow_python: bool, as_json: bool) -> None:
    """Read each FILE, upgrade it where its form is old, and build its nets as far as no memory is taken.

    A net is built for TRAIN and for TEST, where it is made for both; of a solver, the nets it names, and its own
    fields are looked at.  Data layers open their sources, which tell the shapes.  Prints a line for each file,
    with the first fault there is; the exit status is 1 if any has one.
    """
    all_ok = True
    for file in files:
        found, error = fault_of(file, build=not syntax_only, allow_python=allow_python)
        all_ok &= error is None
        if as_json:
            click.echo(json.dumps({"file": file, "ok": error is None, "error": error}))
        elif error is None:
            click.echo(f"{file}: ok ({found})")
        else:
            click.echo(error if error.startswith(f"{file}:") else f"{file}: {error}")
    if not all_ok:
        sys.exit(1)


def fault_of(file: str, *, build: bool, allow_python: bool = False) -> tuple[str | None, str | None]:
    """The kind of a file, None where it is not known, and its first fault in a sentence, None where it has none."""
    found = None
    try:
        found = kind(file)
        if found == "net":
            _check_net(read_net(file), build, allow_python)
        elif found == "solver":
            _check_solver(read_solver(file), build, allow_python)
        else:
            read(file, schema.LabelMap)
    except NetcliError as fault:
        return found, str(fault)
    return found, None


def _check_net(document: Document, build: bool, allow_python: bool) -> None:
    if build:
        for phase, stages in states(document):
            _build(document, phase, stages, allow_python).close()


def _check_solver(document: Document, build: bool, allow_python: bool) -> None:
    if not build:
        return
    check_solver(document)
    train, tests = choose(document)
    make_solver(document, [])
    net = _build(train.document, train.phase, train.stages, allow_python, level=train.level, gradients=True)
    try:
        for test in tests:
            _build(
                test.document, test.phase, test.stages, allow_python, level=test.level, gradients=False, shared=net
            ).close()
    finally:
        net.close()


def _build(
    document: Document,
    phase: int,
    stages: tuple[str, ...],
    allow_python: bool,
    *,
    level: int | None = None,
    gradients: bool | None = None,
    shared: Net | None = None,
) -> Net:
    return Net(
        document,
        phase,
        level=level,
        stages=stages,
        ops=Ops("plain"),  # which know shapes as well as the others, and prepare nothing
        allow_python=allow_python,
        shared_with=shared,
        gradients=gradients,
        dry=True,
    )


def states(document: Document) -> list[State]:
    """The states that a net is made for.

    To test, it needs a layer without bottoms, which brings something in; to train, a loss as well.  A net that has
    this in no phase may lack a loss, or a stage: each one its rules name is tried by itself.  Of a net for which
    nothing is right all phases are built, so that what is missing is told.
    """
    phases = range(len(PHASES))
    plain: list[State] = [(phase, ()) for phase in phases]
    staged: list[State] = [(phase, (stage,)) for stage in _stages(document) for phase in phases]
    whole = [state for state in plain if _has(document, state, loss=state[0] == TRAIN)]
    return whole or next(
        (meant for states in (plain, staged) if (meant := [state for state in states if _has(document, state)])), plain
    )


def _has(document: Document, state: State, *, loss: bool = False) -> bool:
    """Whether the net in this state has a layer without bottoms and, if it is asked for, a loss."""
    phase, stages = state
    layers = select_layers(document, net_state(document.message, phase, None, stages)).message.layer
    return any(not layer.bottom for layer in layers) and (
        not loss or any("Loss" in layer.type or any(layer.loss_weight) for layer in layers)
    )


def _stages(document: Document) -> Iterator[str]:
    """The stages that include and exclude rules name, each once."""
    named = {
        stage: None
        for layer in document.message.layer
        for rule in (*layer.include, *layer.exclude)
        for stage in (*rule.stage, *rule.not_stage)
    }
    yield from named
