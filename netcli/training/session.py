"""What a solver prototxt needs to be trained: its nets, built, and its update rule over them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.ops import Ops
from netcli.errors import NetcliError
from netcli.net import Net
from netcli.prototxt import to_text
from netcli.prototxt.lines import Document
from netcli.solvers import Solver, make_solver
from netcli.training.batch_size import batch_size, with_batch
from netcli.training.checks import check_solver
from netcli.training.choices import Choice, choose
from netcli.training.debug_info import DebugInfo
from netcli.training.hooks import Hook
from netcli.training.journal import Journal
from netcli.training.memory import LIBRARY, allot, check, parts, total
from netcli.training.snapshot import check_prefix
from netcli.training.tests import Tests
from netcli.training.trainer import Trainer
from netcli.training.weights import load_weights

_log = logging.getLogger("netcli")


@dataclass
class Session:
    """Nets and update rule of a solver prototxt; `close` gives back what they hold.

    document  SolverParameter
    choices   where the training net and each test net are from
    """

    document: Document
    train_choice: Choice
    test_choices: list[Choice]
    net: Net
    tests: list[Net]
    solver: Solver
    journal: Journal
    ops: Ops
    allow_python: bool

    def load(self, paths: Sequence[str]) -> None:
        """Take weights from caffemodels, one after the other; raises SnapshotError.  Warns where none are taken."""
        found = load_weights(
            [self.net, *self.tests],  # a test net may have layers of its own
            paths,
            reading=lambda path: self.journal.say("solver.cpp:72", f"Finetuning from {path}"),
            ignored=lambda name: self.journal.say("net.cpp:744", f"Ignoring source layer {name}"),
        )
        if paths and found.isdisjoint(self.net.params):
            _log.warning("%s has no weights for any layer of net '%s'", ", ".join(paths), self.net.name)

    def trainer(self) -> Trainer:
        """The loop over these nets, with the solver's tests."""
        param = self.document.message
        hooks: list[Hook] = [
            Tests([c.batches for c in self.test_choices], param.test_interval, param.test_initialization)
        ]
        if param.debug_info:
            hooks.append(DebugInfo(self.journal))
        return Trainer(self.net, self.solver, self.tests, hooks)

    def rebuild(self, net: Net) -> Net:
        """The training net again, over the same weights, with a memory of its own for every blob."""
        return self.train_choice.build(
            ops=Ops(self.ops.engine, self.ops.choices, self.ops.precision, self.ops.device),
            seed=net.context.seed,
            allow_python=self.allow_python,
            keep_blobs=True,
            shared_with=net,
        )

    def texts(self) -> dict[str, str]:
        """The solver and its nets as they are trained, by file names for a run's folder."""
        solver = type(self.document.message)()
        solver.CopyFrom(self.document.message)
        train, tests = self.train_choice, self.test_choices
        # The paths that were found, which may be beside the solver.
        for field in ("net", "train_net"):
            if solver.HasField(field) and train.path is not None:
                setattr(solver, field, train.path)
        in_files = tests[len(solver.test_net_param) :]
        solver.test_net[:] = [choice.path or "" for choice in in_files[: len(solver.test_net)]]
        texts = {"solver.prototxt": to_text(solver)}
        shared = all(choice.origin == train.origin for choice in tests)
        texts["net.prototxt" if shared else "train_net.prototxt"] = to_text(train.document.message)
        if not shared:
            for number, choice in enumerate(tests):
                texts[f"test_net_{number}.prototxt"] = to_text(choice.document.message)
        return texts

    def close(self) -> None:
        for net in (*self.tests, self.net):
            net.close()


def open_session(
    solver: Document,
    journal: Journal,
    *,
    ops: Ops,
    seed: int,
    allow_python: bool = False,
    keep_blobs: bool = False,
) -> Session:
    """Check a solver and build what it asks for; raises NetcliError, as early as each fault can be known.

    seed: of all draws; it is written into the solver, whose document is changed so far.
    keep_blobs: of every net; see `Net`.
    """
    check_solver(solver)
    train_choice, test_choices = choose(solver)
    param = solver.message
    if param.snapshot or param.snapshot_after_train:
        try:
            check_prefix(param.snapshot_prefix)
        except NetcliError as fault:
            raise fault.at(solver.lines.find(fault.field)) from None
    make_solver(solver, [])  # its faults are told before a net is built
    param.random_seed = seed
    journal.say("solver.cpp:44", f"Initializing solver from parameters: \n{to_text(param)}")
    nets: list[Net] = []

    def build(choice: Choice, shared_with: Net | None = None) -> Net:
        net = choice.build(
            ops=ops,
            seed=seed,
            allow_python=allow_python,
            keep_blobs=keep_blobs or (param.debug_info and shared_with is None),
            shared_with=shared_with,
            dry=True,
        )
        nets.append(net)
        journal.say("net.cpp:255", "Network initialization done.")
        return net

    try:
        journal.say("solver.cpp:87", f"Creating training net from {train_choice.origin}")
        net = build(train_choice)
        for number, choice in enumerate(test_choices):
            journal.say("solver.cpp:172", f"Creating test net (#{number}) specified by {choice.origin}")
            build(choice, shared_with=net)
        library = _check_memory(solver, train_choice, nets, ops, seed, allow_python)
        for built in nets:
            built.take()
        if library and isinstance(ops.device, CudaDevice):
            ops.device.library_work(library)  # at once: what it outgrew would be held beside it
        rule = make_solver(solver, net.learnable, ops=ops)
    except BaseException:
        for built in nets:
            built.close()
        raise
    journal.say("solver.cpp:56", "Solver scaffolding done.")
    return Session(solver, train_choice, test_choices, net, nets[1:], rule, journal, ops, allow_python)


def _check_memory(
    solver: Document, train_choice: Choice, nets: Sequence[Net], ops: Ops, seed: int, allow_python: bool
) -> int:
    """Raise NetcliError where a card has less memory than the nets, which have none yet, and the solver will take.

    Returns the bytes of it that cuDNN's plans will work in.
    """
    if not isinstance(ops.device, CudaDevice):
        return 0
    net, *tests = nets

    def needed_by(images: int) -> int:
        choice = replace(train_choice, document=with_batch(train_choice.document, images))
        build = choice.build(ops=ops, seed=seed, allow_python=allow_python, keep_blobs=net.keep_blobs is True, dry=True)
        with closing(build) as other:
            return total(parts(other, solver, tests))

    found = allot(ops.device, lambda: parts(net, solver, tests))
    check(ops.device, total(found), batch_size(net), solver.message.iter_size, needed_by)
    return sum(part.nbytes for part in found if part.key == LIBRARY)
