"""Old forms of nets and solvers brought to today's, in Caffe's order; lines move along with what they belong to.

Same results as Caffe's upgrade_proto.cpp.  Each step is a pair: whether a message needs it, and what it does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from netcli.prototxt.lines import Document
from netcli.prototxt.upgrade.batch_norm import needs_batch_norm_upgrade, upgrade_batch_norm
from netcli.prototxt.upgrade.inputs import needs_input_upgrade, upgrade_input
from netcli.prototxt.upgrade.solver import needs_solver_type_upgrade, set_snapshot_prefix, upgrade_solver_type
from netcli.prototxt.upgrade.transform import needs_transform_upgrade, upgrade_transform
from netcli.prototxt.upgrade.v0 import needs_v0_upgrade, upgrade_v0
from netcli.prototxt.upgrade.v1 import needs_v1_upgrade, upgrade_v1

_log = logging.getLogger("netcli")
_told: set[tuple[str, str]] = set()  # what has been said of a file: a solver's nets may all be one file

# What is upgraded, in words; whether a NetParameter needs it; the upgrade, which changes what it is given.
Step = tuple[str, Callable[[Any], bool], Callable[[Document], None]]
NET_STEPS: list[Step] = [
    ("V0 layers", needs_v0_upgrade, upgrade_v0),
    ("transformations inside data parameters", needs_transform_upgrade, upgrade_transform),
    ("V1 layers", needs_v1_upgrade, upgrade_v1),
    ("inputs beside the layers", needs_input_upgrade, upgrade_input),
    ("BatchNorm layers with three learning rates", needs_batch_norm_upgrade, upgrade_batch_norm),
]
SOLVER_NETS = ("net_param", "train_net_param", "test_net_param")


def upgrade_net(document: Document, *, tell: bool = True) -> Document:
    """The net (NetParameter) in today's form; the one given is left as it is.

    A warning says what was old, once a file, unless `tell` is false.  Raises PrototxtError for what no form allows.
    """
    if not any(needs(document.message) for _, needs, _ in NET_STEPS):
        return document
    upgraded = document.copy()
    done = _upgrade_net(upgraded)
    if tell:
        _tell(document, done)
    return upgraded


def upgrade_solver(document: Document, path: str | None = None, *, tell: bool = True) -> Document:
    """The solver (SolverParameter) in today's form, with the nets it holds; the one given is left as it is.

    path: of the solver's file.  An unset snapshot_prefix becomes that path without its extension, and to one
        that is a folder the file's stem is added.  None leaves the prefix as it is.
    """
    upgraded = document.copy()
    done = []
    if needs_solver_type_upgrade(upgraded.message):
        upgrade_solver_type(upgraded)
        done.append("solver_type")
    for name in SOLVER_NETS:
        for net in _held(upgraded, name):
            done += _upgrade_net(net)
    if path is not None:
        set_snapshot_prefix(upgraded, path)
    if tell:
        _tell(document, done)
    return upgraded


def _upgrade_net(net: Document) -> list[str]:
    """Bring a net to today's form; returns what was old."""
    done = []
    for what, needs, upgrade in NET_STEPS:
        if needs(net.message):  # asked only now, for a step before may make it so: V0 layers become V1's
            upgrade(net)
            done.append(what)
    if done[:1] == ["V0 layers"]:
        done.remove("V1 layers")
    return done


def _held(document: Document, name: str) -> list[Document]:
    """The messages in a field, repeated or not."""
    if document.message.DESCRIPTOR.fields_by_name[name].is_repeated:
        return list(document.children(name))
    return [document.sub(name)] if document.message.HasField(name) else []


def _tell(document: Document, done: list[str]) -> None:
    file = document.lines.file
    said = ", ".join(dict.fromkeys(done))
    if file is None or not done or (file, said) in _told:
        return
    _told.add((file, said))
    _log.warning("%s: upgraded from an old form (%s); `netcli upgrade` rewrites the file", file, said)
