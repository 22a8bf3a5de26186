"""What products are computed in: the solver's word, the command line's, or that of the run that is gone on with."""

from __future__ import annotations

from typing import Any

from netcli.arrays.ops import Ops
from netcli.errors import NetcliError
from netcli.prototxt import schema
from netcli.prototxt.lines import Document, Lines

NAMES = {"FLOAT32": "f32", "BF16": "bf16"}  # of SolverParameter.Precision, as `Ops` has them


def precision_of(solver: Any, of_run: str = "f32") -> str:
    """A SolverParameter's; where it has none, that of the run that is resumed."""
    if not solver.HasField("precision"):
        return of_run or "f32"
    return NAMES[schema.SolverParameter.Precision.Name(solver.precision)]


def ops_of(solver: Document | None, engine: str, wanted: str | None = None, of_run: str = "f32") -> Ops:
    """The ops that a solver is to be computed with, or a net alone (None); raises NetcliError, with file and line.

    wanted: the command line's word, which then is the solver's too
    """
    if solver is None:
        return Ops(engine, precision=wanted or of_run)
    if wanted is not None:
        set_precision(solver, wanted)
    try:
        return Ops(engine, precision=precision_of(solver.message, of_run))
    except NetcliError as fault:
        if not solver.message.HasField("precision"):
            raise NetcliError(f"the run that is resumed goes on by --precision f32 alone: {fault.message}") from None
        raise fault.at(solver.lines.find("precision")) from None


def set_precision(solver: Document, name: str) -> None:
    """Have a solver compute in this one, by an option of the command line, where its faults are placed from then on."""
    value = next(field for field, short in NAMES.items() if short == name)
    solver.message.precision = schema.SolverParameter.Precision.Value(value)
    solver.lines.fields["precision"] = [Lines(f"--precision {name}")]
