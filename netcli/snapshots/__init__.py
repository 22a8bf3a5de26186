"""Files of weights and of solver states: written beside, synced, renamed; read with every length checked."""

from netcli.snapshots.atomic import atomic_write, check_writable, remove_parts
from netcli.snapshots.blobproto import read_blob, write_blob
from netcli.snapshots.caffemodel import check_weights, read_weights, write_weights
from netcli.snapshots.content import LayerWeights, SolverState, Weights
from netcli.snapshots.solverstate import check_history, newest_state, next_generation, read_state, write_state

__all__ = [
    "LayerWeights",
    "SolverState",
    "Weights",
    "atomic_write",
    "check_history",
    "check_weights",
    "check_writable",
    "newest_state",
    "next_generation",
    "read_blob",
    "read_state",
    "read_weights",
    "remove_parts",
    "write_blob",
    "write_state",
    "write_weights",
]
