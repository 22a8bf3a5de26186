"""Old forms of nets and solvers brought to today's, in Caffe's order; lines move along with what they belong to.

Same results as Caffe's upgrade_proto.cpp.  Each step is a pair: whether a message needs it, and what it does.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

from netcli.prototxt.lines import Document
from netcli.prototxt.upgrade.batch_norm import needs_batch_norm_upgrade, upgrade_batch_norm
from netcli.prototxt.upgrade.inputs import needs_input_upgrade, upgrade_input
from netcli.prototxt.upgrade.moving import inside
from netcli.prototxt.upgrade.solver import needs_solver_type_upgrade, snapshot_prefix, upgrade_solver_type
from netcli.prototxt.upgrade.transform import needs_transform_upgrade, upgrade_transform
from netcli.prototxt.upgrade.v0 import needs_v0_upgrade, upgrade_v0
from netcli.prototxt.upgrade.v1 import needs_v1_upgrade, upgrade_v1

log = logging.getLogger("netcli")

Step = tuple[str, Callable[[Any], bool], Callable[[Document], None]]

NET_STEPS: list[Step] = [
    ("layers of Caffe's first form (V0)", needs_v0_upgrade, upgrade_v0),
    ("transformations inside data parameters", needs_transform_upgrade, upgrade_transform),
    ("layers of Caffe's second form (V1)", needs_v1_upgrade, upgrade_v1),
    ("inputs outside layers", needs_input_upgrade, upgrade_input),
    ("BatchNorm layers with three learning rates", needs_batch_norm_upgrade, upgrade_batch_norm),
]


def upgrade_net(document: Document) -> Document:
    """The net (NetParameter) in today's form; changes and returns `document`.

    Raises PrototxtError for what no form allows.
    """
    done = []
    for what, needs, upgrade in NET_STEPS:
        if needs(document.message):
            upgrade(document)
            done.append(what)
    _tell(document, done)
    return document


def upgrade_solver(document: Document, path: str | None = None) -> Document:
    """The solver (SolverParameter) in today's form; changes and returns `document`.

    path: of the solver's file; an unset snapshot_prefix becomes that path without its extension, and one
        that is a directory gets the file's stem added.  None leaves the prefix as it is.
    """
    if needs_solver_type_upgrade(document.message):
        upgrade_solver_type(document)
        _tell(document, ["solver_type"])
    if path is not None:
        document.message.snapshot_prefix = snapshot_prefix(document.message, path)
    for name in ("net_param", "train_net_param"):
        if document.message.HasField(name):
            upgrade_net(inside(document, name))
    for net in document.children("test_net_param"):
        upgrade_net(net)
    return document


def _tell(document: Document, done: list[str]) -> None:
    if done and document.lines.file:
        file = os.path.basename(document.lines.file)
        log.warning(
            "%s: upgraded %s; `netcli upgrade %s NEW` writes the new form", document.lines.file, ", ".join(done), file
        )
