"""What computes, and in what precision: by the solver, the command line, or the run that is gone on with."""

from __future__ import annotations

from typing import Any

from netcli.arrays.device import CPU, Device
from netcli.arrays.ops import Ops
from netcli.errors import NetcliError
from netcli.prototxt import schema
from netcli.prototxt.lines import Document, Lines

NAMES = {"FLOAT32": "f32", "TF32": "tf32", "BF16": "bf16"}  # of SolverParameter.Precision, as `Ops` has them


def precision_of(solver: Any, device: Device = CPU, of_run: str | None = None) -> str:
    """A SolverParameter's; where it has none, that of the run that is resumed, or the device's own.

    That of a card is TF32, as it is for the field's other programs; the CPU computes its numbers exactly.
    """
    if solver is not None and solver.HasField("precision"):
        name = NAMES[schema.SolverParameter.Precision.Name(solver.precision)]
    else:
        name = of_run or ("f32" if device is CPU else "tf32")
    return "f32" if name == "tf32" and device is CPU else name


def ops_of(
    solver: Document | None,
    engine: str,
    wanted: str | None = None,
    of_run: str | None = None,
    device: Device = CPU,
) -> Ops:
    """The ops that a solver is to be computed with, or a net alone (None); raises NetcliError, with file and line.

    wanted: the command line's word, which then is the solver's too
    """
    if wanted == "tf32" and device is CPU:
        raise NetcliError("--precision tf32 is a card's: give --gpu, or f32, which the CPU computes")
    if solver is None:
        return Ops(engine, precision=wanted or precision_of(None, device, of_run), device=device)
    if wanted is not None:
        set_precision(solver, wanted)
    try:
        return Ops(engine, precision=precision_of(solver.message, device, of_run), device=device)
    except NetcliError as fault:
        if not solver.message.HasField("precision"):
            raise NetcliError(f"the run that is resumed goes on by --precision f32 alone: {fault.message}") from None
        raise fault.at(solver.lines.find("precision")) from None


def set_precision(solver: Document, name: str) -> None:
    """Have a solver compute in this one, by an option of the command line, where its faults are placed from then on."""
    value = next(field for field, short in NAMES.items() if short == name)
    solver.message.precision = schema.SolverParameter.Precision.Value(value)
    solver.lines.fields["precision"] = [Lines(f"--precision {name}")]
