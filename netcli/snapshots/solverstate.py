"""Solver states: where a training run stands, in Caffe's format with fields of our own that Caffe ignores.

message SolverState { iter = 1  learned_net = 2  history = 3 (BlobProto)  current_step = 4  run = 11000 (RunState) }
"""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from google.protobuf.message import DecodeError

from netcli.errors import Place, SnapshotError
from netcli.prototxt import schema
from netcli.snapshots import wire
from netcli.snapshots.atomic import atomic_write
from netcli.snapshots.blobproto import Encoded, array_of, read_file
from netcli.snapshots.caffemodel import read_weights

ITER, LEARNED_NET, HISTORY, CURRENT_STEP, RUN = 1, 2, 3, 4, 11000

log = logging.getLogger("netcli")


@dataclass
class SolverState:
    """What training goes on from.

    iteration     updates made so far
    learned_net   path of the caffemodel with the weights
    history       the solver's arrays, in Caffe's order
    current_step  steps of the rate taken so far (lr_policy "multistep")
    run           RunState: seed, positions of the sources, ...; empty in a file of Caffe's
    """

    iteration: int = 0
    learned_net: str = ""
    history: list[Any] = field(default_factory=list)
    current_step: int = 0
    run: Any = field(default_factory=lambda: schema.RunState())


def read_state(path: str) -> SolverState:
    """Read a solver state; a learned_net that has moved is looked for beside it.  Raises SnapshotError."""
    content = read_file(path, "solver state")
    state = SolverState()
    known = False
    try:
        for number, kind, value in wire.fields(content):
            known |= number in (ITER, LEARNED_NET)
            if number == ITER and kind == wire.VARINT:
                state.iteration = wire.varint(value)
            elif number == CURRENT_STEP and kind == wire.VARINT:
                state.current_step = wire.varint(value)
            elif number == LEARNED_NET and kind == wire.BYTES:
                state.learned_net = os.fsdecode(bytes(value))
            elif number == HISTORY and kind == wire.BYTES:
                state.history.append(array_of(value))
            elif number == RUN and kind == wire.BYTES:
                state.run.MergeFromString(bytes(value))
    except wire.TruncatedError:
        raise SnapshotError("is no whole solver state: the file ends too soon", place=Place(path)) from None
    except (wire.WireError, DecodeError) as fault:
        raise SnapshotError(f"is not a solver state, or damaged: {fault}", place=Place(path)) from None
    if not known:
        raise SnapshotError("is not a solver state: it has no iteration", place=Place(path))
    beside = os.path.join(os.path.dirname(path), os.path.basename(state.learned_net))
    if state.learned_net and not os.path.exists(state.learned_net) and os.path.exists(beside):
        state.learned_net = beside
    return state


def write_state(path: str, state: SolverState) -> None:
    """Write a solver state; raises SnapshotError."""
    history = [Encoded(array) for array in state.history]
    name, run = os.fsencode(state.learned_net), state.run.SerializeToString()

    def write(stream: BinaryIO) -> None:
        stream.write(wire.put_tag(ITER, wire.VARINT) + wire.put_varint(state.iteration))
        stream.write(wire.put_bytes(LEARNED_NET, len(name)) + name)
        for blob in history:
            stream.write(wire.put_bytes(HISTORY, blob.size))
            blob.write(stream)
        stream.write(wire.put_tag(CURRENT_STEP, wire.VARINT) + wire.put_varint(state.current_step))
        stream.write(wire.put_bytes(RUN, len(run)) + run)

    atomic_write(path, write)


def newest_state(prefix: str) -> str | None:
    """The state PREFIX_iter_N.solverstate of the highest N that is whole and whose weights are; None: there is none.

    Those passed over are named in warnings.  Raises SnapshotError where the folder can't be looked into.
    """
    folder, stem = os.path.split(prefix)
    form = re.compile(re.escape(stem) + r"_iter_(\d+)\.solverstate")
    try:
        names = os.listdir(folder or ".")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as fault:
        raise SnapshotError(f"can't be read: {fault.strerror}", place=Place(folder)) from None
    found = sorted(((int(match[1]), name) for name in names if (match := form.fullmatch(name))), reverse=True)
    for iteration, name in found:
        path = os.path.join(folder, name)
        try:
            read_weights(read_state(path).learned_net)
        except SnapshotError as fault:
            log.warning("passed over the snapshot of iteration %d: %s", iteration, fault)
        else:
            return path
    return None
