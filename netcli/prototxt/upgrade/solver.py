"""Solvers that name their type by an enum, and where snapshots go."""

from __future__ import annotations

import os
from typing import Any

from netcli.errors import PrototxtError
from netcli.prototxt import schema
from netcli.prototxt.lines import Document

# value of solver_type -> type
TYPES = {
    "SGD": "SGD",
    "NESTEROV": "Nesterov",
    "ADAGRAD": "AdaGrad",
    "RMSPROP": "RMSProp",
    "ADADELTA": "AdaDelta",
    "ADAM": "Adam",
    "SAG": "SAG",  # NVCaffe
}


def needs_solver_type_upgrade(solver: Any) -> bool:
    """Whether the field `solver_type` is set."""
    return bool(solver.HasField("solver_type"))


def upgrade_solver_type(solver: Document) -> None:
    """`solver_type: ADAM` becomes `type: "Adam"`; raises PrototxtError where both are given."""
    message, lines = solver.message, solver.lines
    if message.HasField("type"):
        given = lines.child("type").line
        where = f", type in line {given}" if given else ""
        raise PrototxtError(f"gives both type and its old form solver_type{where}", place=lines.place("solver_type"))
    solver.put("type", TYPES[schema.SolverParameter.SolverType.Name(message.solver_type)], lines.child("solver_type"))
    solver.drop("solver_type")


def set_snapshot_prefix(solver: Document, path: str) -> None:
    """Settle where snapshots go: a prefix not set is `path` without extension, one that is a folder gets its stem."""
    stem = os.path.splitext(path)[0]
    prefix: str = solver.message.snapshot_prefix
    if not solver.message.HasField("snapshot_prefix"):
        solver.put("snapshot_prefix", stem, solver.lines.here())
    elif os.path.isdir(prefix):
        solver.put(
            "snapshot_prefix", os.path.join(prefix, os.path.basename(stem)), solver.lines.child("snapshot_prefix")
        )
