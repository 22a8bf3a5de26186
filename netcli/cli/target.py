"""The net that a command acts on: a net's file, or one of those a solver names."""

from __future__ import annotations

from netcli.errors import NetcliError, Place
from netcli.layers.base import TRAIN
from netcli.prototxt import kind, read_net, read_solver
from netcli.prototxt.lines import Document
from netcli.training.choices import Choice, choose

PHASES = ["TRAIN", "TEST"]  # by their numbers


def stages_of(text: str) -> tuple[str, ...]:
    """The stages of a comma list."""
    return tuple(stage for stage in text.split(",") if stage)


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
    level = choice.level if level is None else level
    return Choice(choice.document, choice.origin, choice.path, choice.phase, level, choice.stages + stages), solver
