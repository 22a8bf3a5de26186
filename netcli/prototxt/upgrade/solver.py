"""Solvers that name their type by number, and where snapshots go."""

from __future__ import annotations

import os
from typing import Any

from netcli.errors import PrototxtError
from netcli.prototxt import schema
from netcli.prototxt.lines import Document

TYPES = {
    "SGD": "SGD",
    "NESTEROV": "Nesterov",
    "ADAGRAD": "AdaGrad",
    "RMSPROP": "RMSProp",
    "ADADELTA": "AdaDelta",
    "ADAM": "Adam",
}


def needs_solver_type_upgrade(solver: Any) -> bool:
    """Whether the old enum field `solver_type` is set."""
    return bool(solver.HasField("solver_type"))


def upgrade_solver_type(document: Document) -> None:
    """solver_type: ADAM becomes type: "Adam"."""
    solver, lines = document.message, document.lines
    if solver.HasField("type"):
        raise PrototxtError("gives both type and the old solver_type; keep type", place=lines.place("solver_type"))
    name = schema.SolverParameter.SolverType.Name(solver.solver_type)
    if name not in TYPES:
        raise PrototxtError(f"solver_type {name} is a fork's and not known here", place=lines.place("solver_type"))
    solver.type = TYPES[name]
    solver.ClearField("solver_type")
    lines.fields["type"] = lines.fields.pop("solver_type", [])


def snapshot_prefix(solver: Any, path: str) -> str:
    """Where a solver's snapshots go: its snapshot_prefix; unset, the path of its file without extension;
    a directory, the file's stem in it.
    """
    stem = os.path.splitext(path)[0]
    if not solver.HasField("snapshot_prefix"):
        return stem
    prefix: str = solver.snapshot_prefix
    return os.path.join(prefix, os.path.basename(stem)) if os.path.isdir(prefix) else prefix
