"""Solver states: where a training run stands, in Caffe's format with fields of our own that Caffe ignores.

message SolverState { iter = 1  learned_net = 2  history = 3 (BlobProto)  current_step = 4  run = 11000 (RunState) }
"""

from __future__ import annotations

import logging
import mmap
import os
import re
from collections.abc import Sequence
from typing import Any, BinaryIO

from google.protobuf.message import DecodeError

from netcli.arrays.hdf5 import SIGNATURE
from netcli.errors import NetcliError, Place, SnapshotError
from netcli.prototxt import schema
from netcli.snapshots import solverstate_hdf5, wire
from netcli.snapshots.atomic import atomic_write
from netcli.snapshots.blobproto import Encoded, array_of, begins_with, check_size, read_file
from netcli.snapshots.caffemodel import HDF5_END, NAME, read_weights
from netcli.snapshots.content import WITHOUT_LIMIT, SolverState

ITER, LEARNED_NET, HISTORY, CURRENT_STEP, RUN = 1, 2, 3, 4, 11000
_KINDS = {ITER: wire.VARINT, LEARNED_NET: wire.BYTES, HISTORY: wire.BYTES, CURRENT_STEP: wire.VARINT, RUN: wire.BYTES}

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
    content = read_file(path, "solver state", WITHOUT_LIMIT)
    state = SolverState()
    known = False
    try:
        for number, kind, value in wire.fields(content):
            if number == NAME and kind == wire.BYTES:
                raise SnapshotError("is not a solver state; is it a caffemodel?", place=Place(path))
            if kind != _KINDS.get(number, kind):  # a mean image has numbers and strings elsewhere
                raise wire.WireError(f"field {number} is of another kind")
            known |= number == ITER
            if number == ITER:
                state.iteration = _count(value)
            elif number == CURRENT_STEP:
                state.current_step = _count(value)
            elif number == LEARNED_NET:
                state.learned_net = os.fsdecode(bytes(value))
            elif number == HISTORY:
                state.history.append(array_of(value))
            elif number == RUN:
                state.run.MergeFromString(bytes(value))
    except wire.TruncatedError:
        raise SnapshotError("is no whole solver state: the file ends too soon", place=Place(path)) from None
    except (wire.WireError, DecodeError) as fault:
        raise SnapshotError(f"is not a solver state, or damaged: {fault}", place=Place(path)) from None
    if not known:
        raise SnapshotError("is not a solver state: it has no iteration", place=Place(path))
    return state


def _count(content: memoryview) -> int:
    number = wire.varint(content)
    if number >= 2**31:
        raise wire.WireError(f"{number} is no number of iterations or steps")
    return number


def write_state(path: str, state: SolverState) -> None:
    """Write a solver state, in HDF5 where the path ends with .h5, else binary; raises SnapshotError."""
    if path.endswith(HDF5_END):
        return solverstate_hdf5.write(path, state)
    name, run = os.fsencode(state.learned_net), state.run.SerializeToString()
    head = wire.put_tag(ITER, wire.VARINT) + wire.put_varint(state.iteration)
    head += wire.put_bytes(LEARNED_NET, len(name)) + name
    tail = wire.put_tag(CURRENT_STEP, wire.VARINT) + wire.put_varint(state.current_step)
    tail += wire.put_bytes(RUN, len(run)) + run
    history = _history(state.history)
    _check_size(path, history, len(head) + len(tail))

    def write(stream: BinaryIO) -> None:
        stream.write(head)
        for start, blob in history:
            stream.write(start)
            blob.write(stream)
        stream.write(tail)

    atomic_write(path, write)
    return None


def check_history(path: str, history: Sequence[Any]) -> None:
    """Raise SnapshotError where write_state would refuse a state for the size of its history alone."""
    if not path.endswith(HDF5_END):
        _check_size(path, _history(history), 0)


def _history(arrays: Sequence[Any]) -> list[tuple[bytes, Encoded]]:
    encoded = [Encoded(array) for array in arrays]
    return [(wire.put_bytes(HISTORY, blob.size), blob) for blob in encoded]


def _check_size(path: str, history: Sequence[tuple[bytes, Encoded]], others: int) -> None:
    size = others + sum(len(start) + blob.size for start, blob in history)
    check_size(path, size, "solver state", WITHOUT_LIMIT)


def newest_state(prefix: str) -> str | None:
    """The newest state PREFIX_iter_N.solverstate that is whole and whose weights are; None: there is none.

    Or PREFIX_iter_N.solverstate.h5.  The newest is of the run that was begun last, as the states themselves tell (see
    `next_generation`), then of the highest N, then the one that was written last.
    Those passed over are named in warnings.  Raises SnapshotError where the folder can't be looked into.
    """
    found = [(_generation(path), iteration, _written(path), path) for iteration, path in _states(prefix)]
    ordered = sorted(found, reverse=True)
    return next((path for _, iteration, _, path in ordered if _is_whole(iteration, path)), None)


def next_generation(prefix: str, generation: int | None = None, iteration: int = 0) -> int:
    """The number of a run that is about to write its first state behind a prefix.

    Of one that goes on from a state of `generation` at `iteration` it is that generation, if no state there is newer.
    Else, and where it was begun anew (None), it is one more than those of all that are there, from 0.  Files of
    Caffe's, which have no number, count as 0.
    """
    found = [(_generation(path), at) for at, path in _states(prefix)]
    if generation is not None and max(found, default=(0, 0)) <= (generation, iteration):
        return generation
    return max((number for number, _ in found), default=-1) + 1


def _states(prefix: str) -> list[tuple[int, str]]:
    """(iteration, path) of each state behind a prefix."""
    folder, stem = os.path.split(prefix)
    form = re.compile(re.escape(stem) + r"_iter_(\d+)\.solverstate(\.h5)?")
    try:
        names = os.listdir(folder or ".")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as fault:
        raise SnapshotError(f"can't be read: {fault.strerror}", place=Place(folder)) from None
    return [(int(match[1]), os.path.join(folder, name)) for name in names if (match := form.fullmatch(name))]


def _generation(path: str) -> int:
    """The number of the run that wrote a state, 0 where it tells none; the history, which may be large, is not read."""
    run = schema.RunState()
    try:
        if begins_with(path, SIGNATURE):
            return int(solverstate_hdf5.read_run(path).generation)
        with open(path, "rb") as stream:
            content = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
        for number, kind, value in wire.fields(content):
            if number == RUN and kind == wire.BYTES:
                run.MergeFromString(bytes(value))
    except (OSError, ValueError, wire.WireError, DecodeError, NetcliError):  # it is no whole state, or gone
        return 0
    return int(run.generation)


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
