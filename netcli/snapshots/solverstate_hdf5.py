"""Solver states in HDF5: iter, learned_net, current_step, history/0, 1, ..., and `run`, our own record.

`run` holds the bytes of a RunState; Caffe asks for the other names and sees nothing of it.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from netcli.arrays import hdf5
from netcli.errors import Place, SnapshotError
from netcli.prototxt import schema
from netcli.snapshots.atomic import atomic_write
from netcli.snapshots.content import SolverState


def read(path: str) -> SolverState:
    """Read a solver state in HDF5; raises SnapshotError."""
    state = SolverState()
    try:
        with hdf5.reading(path) as file:
            if "iter" not in file:
                raise hdf5.Hdf5Error("is not a solver state: it has no iteration")
            state.iteration = _whole(file, "iter")
            state.current_step = _whole(file, "current_step")
            if "learned_net" in file:
                state.learned_net = _string(file, "learned_net")
            history = file.get("history")
            if not isinstance(history, hdf5.require().Group):
                raise hdf5.Hdf5Error("is not a whole solver state: it has no group 'history'")
            state.history = [hdf5.numbers(hdf5.dataset(history, str(i))) for i in range(len(history))]
            state.run = _run(file)
    except hdf5.Hdf5Error as fault:
        raise SnapshotError(str(fault), place=Place(path)) from None
    except DecodeError as fault:
        raise SnapshotError(f"is not a solver state, or damaged: {fault}", place=Place(path)) from None
    return state


def read_run(path: str) -> Any:
    """The RunState of a solver state in HDF5, and nothing else; raises SnapshotError."""
    try:
        with hdf5.reading(path) as file:
            return _run(file)
    except (hdf5.Hdf5Error, DecodeError) as fault:
        raise SnapshotError(str(fault), place=Place(path)) from None


def _run(file: Any) -> Any:
    run = schema.RunState()
    if "run" in file:
        run.MergeFromString(hdf5.numbers(hdf5.dataset(file, "run"), np.uint8).tobytes())
    return run


def _whole(file: Any, name: str) -> int:
    values = hdf5.numbers(hdf5.dataset(file, name), np.int64).reshape(-1)
    if len(values) != 1 or not 0 <= values[0] < 2**31:
        raise hdf5.Hdf5Error(f"is not a solver state, or damaged: {name} is not a number of iterations or steps")
    return int(values[0])


def _string(file: Any, name: str) -> str:
    value = file[name][()] if isinstance(file[name], hdf5.require().Dataset) else None
    if not isinstance(value, bytes):
        raise hdf5.Hdf5Error(f"is not a solver state, or damaged: {name} is not a string")
    return os.fsdecode(value.partition(b"\0")[0])


def write(path: str, state: SolverState) -> None:
    """Write a solver state in HDF5; raises SnapshotError."""
    name = os.fsencode(state.learned_net) + b"\0"  # Caffe reads up to the zero

    def content(stream: Any) -> None:
        with hdf5.writing(stream) as file:
            file["iter"] = np.array([state.iteration], np.int32)
            # h5py strips zeros off the end of a string, but leaves one of a given length.
            file.create_dataset("learned_net", data=name, dtype=f"S{len(name)}")
            file["current_step"] = np.array([state.current_step], np.int32)
            history = file.create_group("history")
            for index, array in enumerate(state.history):
                history[str(index)] = array
            file["run"] = np.frombuffer(state.run.SerializeToString(), np.uint8)

    atomic_write(path, content)
