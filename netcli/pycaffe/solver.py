"""Solvers: pycaffe's view of a training.

Same behaviour as Caffe's _caffe.cpp and solver.cpp.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, ClassVar

from netcli.prototxt import find_file, read_solver
from netcli.pycaffe import mode
from netcli.pycaffe.log import journal
from netcli.pycaffe.net import Net
from netcli.snapshots import read_state
from netcli.training.caffe_log import CaffeLog
from netcli.training.hooks import Hook
from netcli.training.precision import ops_of
from netcli.training.session import open_session
from netcli.training.snapshot import Snapshots
from netcli.training.state import restore
from netcli.training.trainer import Trainer
from netcli.training.weights import split_paths


class Callbacks(Hook):
    """What a program wants to be called for in each iteration."""

    def __init__(self) -> None:
        self.pairs: list[tuple[Callable[[], Any], Callable[[], Any]]] = []

    def before(self, run: Trainer) -> None:  # noqa: ARG002
        for on_start, _ in self.pairs:
            on_start()

    def computed(self, run: Trainer) -> None:  # noqa: ARG002
        for _, on_gradients_ready in self.pairs:
            on_gradients_ready()


class Solver:
    """A solver prototxt's nets and its update rule; for inheriting, or by `get_solver`.

    net        the net to train
    test_nets  those to test, which share its weights
    param      SolverParameter; a base_lr that is set in it counts from the next iteration

    What it does is told on stderr in Caffe's lines; see `init_log`.  Raises NetcliError, with file and line.
    Unlike `netcli train` it takes no signals, and a loss that is no number ends nothing: the program sees to that.
    """

    type: ClassVar[str] = ""  # the update rule; "": the prototxt's

    def __init__(self, solver_file: str | os.PathLike[str]) -> None:
        document = read_solver(os.fspath(solver_file))
        self.param = document.message
        if self.type:
            self.param.type = self.type
        seed = self.param.random_seed
        self._device = mode.device()
        with self._device.current(), self._device.turn:
            self._session = open_session(
                document,
                journal(),
                ops=ops_of(document, "auto", device=self._device),
                seed=seed if seed >= 0 else mode.next_seed(),
                allow_python=True,
                keep_blobs=True,
            )
            self._session.load([find_file(path, document.lines) for path in split_paths(self.param.weights)])
        self.net = Net.of(self._session.net)
        self.test_nets = [Net.of(net) for net in self._session.tests]
        self._run = self._session.trainer()
        self._run.forward, self._run.backward = self.net.train_forward, self.net.train_backward
        self._snapshots = Snapshots(self.param)
        self._callbacks = Callbacks()
        self._run.add([CaffeLog(journal()), self._snapshots, self._callbacks])

    @property
    def iter(self) -> int:
        """Updates made so far."""
        return self._run.iteration

    @property
    def lr(self) -> float:
        """The learning rate of this iteration."""
        return self._run.solver.rate(self.iter)

    def step(self, iterations: int) -> None:
        """Train for so many iterations, with the tests and snapshots that fall due, whatever max_iter says."""
        self._run.losses.clear()
        with self._device.current():
            self._run.step(int(iterations))
            float(self._run.loss)  # wrong labels that a card has found are told at the latest here

    def solve(self, resume_file: str | os.PathLike[str] | None = None) -> None:
        """Train to max_iter, from a solver state where one is given."""
        if resume_file is not None:
            self.restore(resume_file)
        with self._device.current():
            self._run.train()
            float(self._run.loss)

    def apply_update(self) -> None:
        """Let the weights take one step from the gradients there are; counts as an iteration."""
        with self._device.current():
            self._run.update()

    def snapshot(self) -> None:
        """Write weights and state now, behind snapshot_prefix."""
        with self._device.current():
            self._snapshots.save(self._run)

    def restore(self, state_file: str | os.PathLike[str]) -> None:
        """Go on from a solver state, binary or HDF5, and the weights it names."""
        path = os.fspath(state_file)
        state = read_state(path)
        with self._device.current(), self._device.turn:
            restore(self._run, state, path)

    def share_weights(self, net: Net) -> None:
        """Let another net look at this training's weights, as its test nets do."""
        net.share_with(self.net)

    def add_callback(self, on_start: Callable[[], Any], on_gradients_ready: Callable[[], Any]) -> None:
        """Call the first before each iteration's forward, the second between its backward and its update."""
        self._callbacks.pairs.append((on_start, on_gradients_ready))


class SGDSolver(Solver):
    type = "SGD"


class NesterovSolver(SGDSolver):
    type = "Nesterov"


class AdaGradSolver(SGDSolver):
    type = "AdaGrad"


class RMSPropSolver(SGDSolver):
    type = "RMSProp"


class AdaDeltaSolver(SGDSolver):
    type = "AdaDelta"


class AdamSolver(SGDSolver):
    type = "Adam"


_SOLVERS = {
    cls.type: cls for cls in (SGDSolver, NesterovSolver, AdaGradSolver, RMSPropSolver, AdaDeltaSolver, AdamSolver)
}


def get_solver(solver_file: str | os.PathLike[str]) -> Solver:
    """The solver of a prototxt, of the class that its type names."""
    named: str = read_solver(os.fspath(solver_file)).message.type
    return _SOLVERS.get(named, Solver)(solver_file)
