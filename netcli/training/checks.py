"""What can be said about a solver's fields before a net is built."""

from __future__ import annotations

import logging
from typing import Any

from netcli.errors import NetcliError
from netcli.prototxt import schema
from netcli.prototxt.lines import Document

_log = logging.getLogger("netcli")

# Smallest value, and what the field counts.
SMALLEST = {
    "max_iter": (0, "iterations"),
    "display": (0, "iterations, 0 for never"),
    "test_interval": (0, "iterations, 0 for never"),
    "snapshot": (0, "iterations, 0 for never"),
    "average_loss": (1, "iterations"),
    "iter_size": (1, "passes"),
}


def check_solver(solver: Document) -> None:
    """Raise NetcliError with its line where a SolverParameter can't be trained by; warn of what is done otherwise."""
    param = solver.message
    try:
        if not param.HasField("max_iter"):
            raise NetcliError("the solver needs max_iter, the number of iterations")
        for name, (smallest, what) in SMALLEST.items():
            value = getattr(param, name)
            if value < smallest:
                raise NetcliError(f"{name} is at least {smallest} ({what}), got {value}", field=name)
    except NetcliError as fault:
        raise fault.at(solver.lines.find(fault.field)) from None
    for name, told in _departures(param):
        _log.warning("%s: %s", solver.lines.find(name), told)


def _departures(param: Any) -> list[tuple[str, str]]:
    told = []
    if param.snapshot_format == schema.SolverParameter.HDF5:
        told.append(("snapshot_format", "snapshots are written as BINARYPROTO; HDF5 is not written yet"))
    return told
