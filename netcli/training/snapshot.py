"""Snapshots: PREFIX_iter_N.caffemodel and .solverstate, at an interval, at the end, or when asked for.

With `snapshot_format: HDF5` they end with .h5.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
from typing import TYPE_CHECKING, Any, ClassVar

from netcli.errors import NetcliError, SnapshotError
from netcli.snapshots import check_history, check_weights, next_generation, remove_parts, write_state
from netcli.training.hooks import Hook, Order
from netcli.training.state import capture

if TYPE_CHECKING:
    from netcli.training.trainer import Trainer

_log = logging.getLogger("netcli")


class Snapshots(Hook):
    """Writes snapshots as the solver's fields say: snapshot and those whose names begin with it.

    The state is written after the weights it names, so that a state that is there has its weights.
    One that can't be written in the middle of a run (a full disk) is a warning, and the next one is
    tried again; the last one is an error.
    A run that is stopped is snapshotted too, unless its solver wants no snapshot at all.
    """

    order: ClassVar[Order] = Order.KEEP

    def __init__(self, param: Any, *, alone: bool = True) -> None:
        """param: SolverParameter, its snapshot_prefix filled in.

        alone: whether no other run writes behind that prefix, so that half a file there is a killed one's.
        """
        self.alone = alone
        self.prefix: str = param.snapshot_prefix
        self.interval: int = param.snapshot
        self.after_train: bool = param.snapshot_after_train
        self.write_diff: bool = param.snapshot_diff
        self.hdf5: bool = param.snapshot_format == param.HDF5
        self.paths: tuple[str, str] | None = None  # the last one written: weights, state
        self._at: int | None = None  # its iteration

    def begin(self, run: Trainer) -> None:
        if self.interval > 0 or self.after_train:
            # What is too large for a binary file, or named as HDF5 can't have it, is so from the start.
            weights, state = self._paths("N")
            check_weights(weights, run.net.weights_message, [layer.blobs for layer in run.net.layers], self.write_diff)
            check_history(state, run.solver.history)
        if self.alone:
            remove_parts(f"{self.prefix}_iter_")

    def updated(self, run: Trainer) -> None:
        if self.interval > 0 and run.iteration % self.interval == 0:
            self._try(run)

    def poll(self, run: Trainer) -> None:
        if run.wants_snapshot:
            run.wants_snapshot = False
            self._try(run)

    def after(self, run: Trainer) -> None:
        wanted = self.after_train or (run.stopped is not None and self.interval > 0)
        if wanted and self._at != run.iteration and (run.iteration > run.first or self._is_new(run)):
            self.save(run)

    def _is_new(self, run: Trainer) -> bool:
        """Whether a run with no step to make still has something to write, as one with max_iter 0 its first weights."""
        due = self.interval > 0 and run.iteration % self.interval == 0  # Caffe leaves those to the interval
        return run.stopped is None and not due and not os.path.exists(self._paths(run.iteration)[1])

    def save(self, run: Trainer) -> None:
        """Write a snapshot of the run as it is; raises SnapshotError."""
        weights, state = self._paths(run.iteration)
        if self.paths is None:
            run.generation = next_generation(self.prefix, run.generation, run.first)
        run.tell("saving", weights, state)
        if run.iteration > run.first:
            # An earlier run's state would name the weights of this one, should it end before it writes its own.
            with contextlib.suppress(FileNotFoundError):
                os.remove(state)
        run.net.save(weights, self.write_diff)
        write_state(state, capture(run, weights))
        self._at, self.paths = run.iteration, (weights, state)
        run.tell("saved", weights, state)

    def _paths(self, iteration: int | str) -> tuple[str, str]:
        """Of the weights and of the state."""
        end = ".h5" if self.hdf5 else ""
        path = f"{self.prefix}_iter_{iteration}"
        return f"{path}.caffemodel{end}", f"{path}.solverstate{end}"

    def _try(self, run: Trainer) -> None:
        if self._at == run.iteration:
            return
        try:
            self.save(run)
        except SnapshotError as fault:
            _log.warning("%s; training goes on, and tries again at the next snapshot", fault)


def check_prefix(prefix: str) -> None:
    """Raise NetcliError where no file can be made behind this prefix."""
    probe = f"{prefix}_iter_0.{secrets.token_hex(4)}.tempfile"
    try:
        with open(probe, "xb"):
            pass
    except OSError as fault:
        folder = os.path.dirname(prefix)
        if folder and not os.path.isdir(folder):
            words = f"there is no folder {folder}"
        else:
            words = f"{prefix}_iter_*: {fault.strerror or fault}"
        raise NetcliError(f"snapshots can't be written: {words}", field="snapshot_prefix") from None
    with contextlib.suppress(OSError):
        os.remove(probe)
