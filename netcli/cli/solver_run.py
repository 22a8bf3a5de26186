"""A training about to begin: what `netcli train` and Caffe's own spelling of it have in common."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from netcli.arrays import random
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.device import CPU, Device
from netcli.arrays.threads import set_threads
from netcli.errors import NetcliError, Place
from netcli.prototxt import find_file, kind, read, schema, upgrade_solver
from netcli.prototxt.lines import Document
from netcli.snapshots import SolverState, read_state
from netcli.training.journal import Journal
from netcli.training.overrides import set_fields
from netcli.training.precision import ops_of
from netcli.training.prefix_lock import PrefixLock
from netcli.training.session import Session, open_session
from netcli.training.state import is_ours, restore
from netcli.training.trainer import Trainer
from netcli.training.weights import split_paths

_log = logging.getLogger("netcli")


@dataclass(frozen=True)
class Found:
    """A solver state and the file it was read from."""

    path: str
    content: SolverState


def read_solver_to_train(
    path: str, *, assignments: Sequence[str] = (), level: int | None = None, stages: Sequence[str] = ()
) -> Document:
    """The solver with the command line's changes; raises NetcliError."""
    if (found := kind(path)) != "solver":
        raise NetcliError(f"is a {found}, and train takes a solver prototxt", place=Place(path))
    document = read(path, schema.SolverParameter)
    set_fields(document, assignments)
    if not document.message.HasField("max_iter"):
        raise NetcliError("the solver needs max_iter, its iterations; --set gives one", place=Place(path))
    document = upgrade_solver(document, path)  # after, because a snapshot_prefix that is set may be a folder
    if level is not None:
        document.message.train_state.level = level
    if stages:
        document.message.train_state.stage.extend(stages)
    return document


def settle_weights(document: Document, given: Sequence[str], *, resume: str = "--resume") -> list[str]:
    """The caffemodels to begin with, from the command line or else the solver, which has them from then on.

    resume: what the command line calls the option for solver states
    """
    paths = split_paths(given)
    for path in paths:
        if path.endswith((".solverstate", ".solverstate.h5")):
            raise NetcliError(f"is a solver state: go on from it with {resume}", place=Place(path))
    if not given:
        paths = [find_file(path, document.lines) for path in split_paths(document.message.weights)]
    document.message.weights[:] = paths
    return paths


def read_found(path: str, *, weights: str = "--weights", resume: str = "--resume") -> Found:
    """The state in a file that the command line names; raises SnapshotError.

    weights, resume: what the command line calls these options
    """
    if path.endswith((".caffemodel", ".caffemodel.h5")):
        raise NetcliError(
            f"holds weights alone: begin with them by {weights}, or give {resume} a .solverstate", place=Place(path)
        )
    return Found(path, read_state(path))


def begin(
    stack: contextlib.ExitStack,
    document: Document,
    journal: Journal,
    *,
    weights: Sequence[str],
    state: Found | None,
    engine: str = "auto",
    precision: str | None = None,
    device: Device = CPU,
    threads: int | None = None,
    allow_python: bool = False,
) -> tuple[Session, Trainer]:
    """Build a solver's nets, with weights of files or those of a state; raises NetcliError.  The stack closes them.

    precision: unless given, the solver's, or else that of the state's run.
    device: where it is computed.
    threads: unless given, those of the state's run.
    """
    seed = _seed(document, state)
    _set_threads(threads, state)
    of_run = state.content.run.precision if state is not None and is_ours(state.content) else None
    ops = ops_of(document, engine, precision, of_run, device)
    session = open_session(document, journal, ops=ops, seed=seed, allow_python=allow_python)
    stack.callback(session.close)
    session.load(weights)
    run = session.trainer()
    if state is not None:
        journal.say("caffe.cpp:243", f"Resuming from {state.path}")
        restore(run, state.content, state.path)
    return session, run


def say_device(journal: Journal, device: Device) -> None:
    """Log what computes, in Caffe's words."""
    if isinstance(device, CudaDevice):
        journal.say("caffe.cpp:210", f"Using GPUs {device.number}")
        journal.say("caffe.cpp:215", f"GPU {device.number}: {device.model}")
    else:
        journal.say("caffe.cpp:204", "Use CPU.")


def _seed(document: Document, state: Found | None) -> int:
    """The seed of the run: the snapshot's where there is one, the solver's, or a new one."""
    own: int = document.message.random_seed
    if state is None or not is_ours(state.content):
        return own if own >= 0 else random.new_seed()
    seed = int(state.content.run.random_seed)
    if own not in (-1, seed):
        _log.warning("random_seed %d of %s is used, and not the solver's %d", seed, state.path, own)
    return seed


def _set_threads(wanted: int | None, state: Found | None) -> None:
    if wanted is None and state is not None and is_ours(state.content):
        wanted = int(state.content.run.threads) or None
    if wanted is not None:
        set_threads(wanted)


def hold_prefix(stack: contextlib.ExitStack, document: Document, *, must: bool) -> bool:
    """Keep other runs from the solver's snapshot_prefix while the stack lasts; returns whether there is no other.

    must: whether a run that has it already is a fault, or a warning.
    """
    param = document.message
    if not (param.snapshot or param.snapshot_after_train):
        return True
    lock = stack.enter_context(PrefixLock(param.snapshot_prefix))
    if lock.held:
        return True
    which = f"process {lock.other}" if lock.other else "another process"
    words = f"{which} is training with the snapshot_prefix {param.snapshot_prefix}: each would write over the other's"
    if must:
        place = document.lines.find("snapshot_prefix")
        raise NetcliError(f"{words}; --set snapshot_prefix=... gives another", place=place)
    _log.warning("%s", words)
    return False
