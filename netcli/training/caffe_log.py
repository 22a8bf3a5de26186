"""Tells the run to the journal, in the lines and the order of Caffe's solver.cpp and sgd_solver.cpp."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from netcli.arrays.device import CPU
from netcli.training.hooks import Hook
from netcli.training.journal import Journal
from netcli.training.scores import Score, outputs_of

if TYPE_CHECKING:
    from netcli.training.trainer import Trainer


class CaffeLog(Hook):
    """The log of a training; numbers have six digits (C's %g), as a C++ stream writes them."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._since = 0.0  # when the last displayed iteration was told
        self._shown = 0  # its number
        self._done = False

    def begin(self, run: Trainer) -> None:
        self.journal.say("solver.cpp:279", f"Solving {run.net.name}")
        self.journal.say("solver.cpp:280", f"Learning Rate Policy: {run.solver.param.lr_policy}")

    def start(self, run: Trainer) -> None:
        self._since, self._shown = time.perf_counter(), run.iteration

    def computed(self, run: Trainer) -> None:
        solver, i = run.solver, run.iteration
        if run.shows():
            now = time.perf_counter()
            took = now - self._since
            speed = (i - self._shown) / took if took else 0.0
            pace = f"{speed:g} iter/s, {took:g}s/{solver.param.display} iters"
            self.journal.say("solver.cpp:218", f"Iteration {i} ({pace}), loss = {run.smoothed_loss:g}")
            self._since, self._shown = now, i
            for number, output in enumerate(outputs_of(run.net)):
                self.journal.say("solver.cpp:237", f"    Train net output #{number}: {output}")
        step = solver.schedule.current_step
        if solver.param.lr_policy == "multistep" and step(i) > step(i - 1):
            self.journal.say("sgd_solver.cpp:61", f"MultiStep Status: Iteration {i}, step = {step(i)}")
        if run.shows():
            self.journal.say("sgd_solver.cpp:105", f"Iteration {i}, lr = {solver.rate(i):g}")

    def updated(self, run: Trainer) -> None:
        # A card is asked for it where the iteration was one on display; asking at each would hold it up.
        shown = run.solver.device is CPU or self._shown == run.iteration - 1
        if shown and run.solver.clipped is not None:
            norm, factor = run.solver.clipped
            self.journal.say(
                "sgd_solver.cpp:93",
                f"Gradient clipping: scaling down gradients (L2 norm {norm:g} > {run.solver.param.clip_gradients:g}) "
                f"by scale factor {factor:g}",
            )

    def testing(self, run: Trainer, index: int) -> None:
        self.journal.say("solver.cpp:330", f"Iteration {run.iteration}, Testing net (#{index})")

    def tested(self, run: Trainer, index: int, score: Score | None) -> None:  # noqa: ARG002
        if score is None:
            self.journal.say("solver.cpp:375", "Test interrupted.")
            return
        if run.solver.param.test_compute_loss:
            self.journal.say("solver.cpp:380", f"Test loss: {score.loss:g}")
        for number, output in enumerate(score.outputs):
            self.journal.say("solver.cpp:397", f"    Test net output #{number}: {output}")

    def saving(self, run: Trainer, weights: str, state: str) -> None:  # noqa: ARG002
        if weights.endswith(".h5"):
            self.journal.say("solver.cpp:457", f"Snapshotting to HDF5 file {weights}")
            self.journal.say("sgd_solver.cpp:285", f"Snapshotting solver state to HDF5 file {state}")
        else:
            self.journal.say("solver.cpp:447", f"Snapshotting to binary proto file {weights}")
            self.journal.say("sgd_solver.cpp:273", f"Snapshotting solver state to binary proto file {state}")

    def looked(self, run: Trainer) -> None:
        self.journal.say("solver.cpp:310", f"Iteration {run.iteration}, loss = {run.smoothed_loss:g}")

    def last(self, run: Trainer) -> None:  # noqa: ARG002
        self._done = True
        self.journal.say("solver.cpp:315", "Optimization Done.")
        self.journal.say("caffe.cpp:259", "Optimization Done.")

    def end(self, run: Trainer) -> None:
        if not run.goes_on() and not self._done:
            self.journal.say("solver.cpp:295", "Optimization stopped early.")
            self.journal.say("caffe.cpp:259", "Optimization Done.")
