"""Update rules: `make_solver` finds the one that a solver prototxt names."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from netcli.arrays.ops import Ops
from netcli.errors import NetcliError, suggestion
from netcli.prototxt.lines import Document
from netcli.solvers.base import SOLVERS, Solver

if TYPE_CHECKING:
    from netcli.net import Parameter

FORKS = {"SAG": "NVCaffe", "AdamW": "jolibrain", "RAdam": "jolibrain"}  # types of forks, and whose they are


@functools.cache
def solver_types() -> dict[str, type[Solver]]:
    """Every update rule by its name in solver prototxts."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return SOLVERS


def make_solver(document: Document, learnable: Sequence[Parameter], *, ops: Ops | None = None) -> Solver:
    """The solver of a SolverParameter over a net's parameters; faults are raised with their line.

    ops: whose bodies the rules use that have an op.
    """
    param, lines = document.message, document.lines
    try:
        if param.type not in solver_types():
            raise NetcliError(_unknown(param.type), field="type")
        return solver_types()[param.type](param, learnable, ops or Ops())
    except NetcliError as fault:
        raise fault.at(lines.find(fault.field)) from None


def _unknown(name: str) -> str:
    known = ", ".join(sorted(solver_types()))
    if name in FORKS:
        return f"solver type '{name}' is {FORKS[name]}'s and not known here; there are {known}"
    other_case = {known_name.lower(): known_name for known_name in solver_types()}.get(name.lower())
    hint = f"; did you mean '{other_case}'?" if other_case else suggestion(name, solver_types())
    return f"there is no solver type '{name}'{hint or '; there are ' + known}"


__all__ = ["SOLVERS", "Solver", "make_solver", "solver_types"]
