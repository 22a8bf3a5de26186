"""Solver states: where a training run stands, in Caffe's format with fields of our own that Caffe ignores.

message SolverState { iter = 1  learned_net = 2  history = 3 (BlobProto)  current_step = 4  run = 11000 (RunState) }
"""

from __future__ import annotations

import logging
import os
import re
from typing import BinaryIO

from google.protobuf.message import DecodeError

from netcli.arrays.hdf5 import SIGNATURE
from netcli.errors import NetcliError, Place, SnapshotError
from netcli.snapshots import solverstate_hdf5, wire
from netcli.snapshots.atomic import atomic_write
from netcli.snapshots.blobproto import Encoded, array_of, begins_with, read_file
from netcli.snapshots.caffemodel import HDF5_END, read_weights
from netcli.snapshots.content import SolverState

ITER, LEARNED_NET, HISTORY, CURRENT_STEP, RUN = 1, 2, 3, 4, 11000

log = logging.getLogger("netcli")


def read_state(path: str) -> SolverState:
    """Read a solver state, binary or HDF5 by its first bytes; raises SnapshotError.

    A learned_net that has moved is looked for beside it.
    """
    state = solverstate_hdf5.read(path) if begins_with(path, SIGNATURE) else _read_binary(path)
    beside = os.path.join(os.path.dirname(path), os.path.basename(state.learned_net))
    if state.learned_net and not os.path.exists(state.learned_net) and os.path.exists(beside):
        state.learned_net = beside
    return state


def _read_binary(path: str) -> SolverState:
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
    return state


def write_state(path: str, state: SolverState) -> None:
    """Write a solver state, in HDF5 where the path ends with .h5, else binary; raises SnapshotError."""
    if path.endswith(HDF5_END):
        return solverstate_hdf5.write(path, state)
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
    return None


def newest_state(prefix: str) -> str | None:
    """The state PREFIX_iter_N.solverstate of the highest N that is whole and whose weights are; None: there is none.

    Or PREFIX_iter_N.solverstate.h5; of two with the same N the one that was written last.
    Those passed over are named in warnings.  Raises SnapshotError where the folder can't be looked into.
    """
    folder, stem = os.path.split(prefix)
    form = re.compile(re.escape(stem) + r"_iter_(\d+)\.solverstate(\.h5)?")
    try:
        names = os.listdir(folder or ".")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as fault:
        raise SnapshotError(f"can't be read: {fault.strerror}", place=Place(folder)) from None
    paths = [(int(match[1]), os.path.join(folder, name)) for name in names if (match := form.fullmatch(name))]
    ordered = sorted(paths, key=lambda found: (found[0], _written(found[1])), reverse=True)
    return next((path for iteration, path in ordered if _is_whole(iteration, path)), None)


def _is_whole(iteration: int, path: str) -> bool:
    try:
        read_weights(read_state(path).learned_net)
    except NetcliError as fault:  # also where h5py is missing
        log.warning("passed over the snapshot of iteration %d: %s", iteration, fault)
        return False
    return True


def _written(path: str) -> float:
    """When a file was written; 0 where it is gone by now."""
    try:
        return os.path.getmtime(path)
    except OSError:
        return 0.0
