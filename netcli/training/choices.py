"""Which nets a solver asks for: one to train and any number to test, each with its state.

Same choices as InitTrainNet and InitTestNets in Caffe's solver.cpp.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from netcli.arrays.ops import Ops
from netcli.errors import NetcliError
from netcli.layers.base import TEST, TRAIN
from netcli.net import Net
from netcli.prototxt import find_file, read_net, upgrade_net
from netcli.prototxt.lines import Document

TRAIN_FIELDS = ("net", "net_param", "train_net", "train_net_param")


@dataclass(frozen=True)
class Choice:
    """A net to be built.

    document  the net as its file has it, upgraded
    origin    where it is from, in the words of Caffe's log
    path      its file, None where it stands in the solver
    phase     TRAIN or TEST
    level     of its state; None: the net's own
    stages    of its state, beside the net's own
    batches   of one test (test_iter)
    is_test   whether it is for forward passes alone, as any net with batches is
    """

    document: Document
    origin: str
    path: str | None
    phase: int
    level: int | None
    stages: tuple[str, ...]
    batches: int = 0
    is_test: bool = False

    def with_state(self, level: int | None, stages: tuple[str, ...]) -> Choice:
        """The same with a level in place of its own, where one is given, and more stages."""
        return replace(self, level=self.level if level is None else level, stages=self.stages + stages)

    def build(
        self,
        *,
        ops: Ops,
        seed: int,
        allow_python: bool = False,
        keep_blobs: bool = False,
        shared_with: Net | None = None,
        dry: bool = False,
    ) -> Net:
        """The net; a net to train computes gradients whatever phase its state says.

        shared_with: the net to train, which this one takes turns with
        dry: it takes no memory before `Net.take`
        """
        gradients = self.batches == 0 and not self.is_test
        return Net(
            self.document,
            self.phase,
            level=self.level,
            stages=self.stages,
            ops=ops,
            seed=seed,
            allow_python=allow_python,
            keep_blobs=keep_blobs,
            shared_with=shared_with,
            in_turn=True,
            gradients=gradients,
            constant=not gradients and shared_with is None,
            dry=dry,
        )


def choose(solver: Document) -> tuple[Choice, list[Choice]]:
    """The net to train and the nets to test; raises NetcliError with its line where the solver's fields disagree.

    As in Caffe, a test_interval without a test_iter tests nothing, and a test_iter of 0 runs no batch.
    """
    try:
        _check(solver.message)
    except NetcliError as fault:
        raise fault.at(solver.lines.find(fault.field)) from None
    return _train_choice(solver), _test_choices(solver)


def _check(param: Any) -> None:
    given = [name for name in TRAIN_FIELDS if param.HasField(name)]
    if not given:
        raise NetcliError(f"the solver names no net to train; it needs one of {', '.join(TRAIN_FIELDS)}")
    if len(given) > 1:
        raise NetcliError(f"the solver gives both {given[0]} and {given[1]}; one net is trained", field=given[1])
    general = param.HasField("net") or param.HasField("net_param")
    own = len(param.test_net_param) + len(param.test_net)
    count = len(param.test_iter)
    if count < own or (count > own and not general):
        raise NetcliError(
            f"test_iter is given {_times(count)} for {own} test net{'' if own == 1 else 's'}; "
            "each test net needs one, in their order",
            field="test_iter" if count else "test_net",
        )
    for batches in param.test_iter:
        if batches < 0:
            raise NetcliError(f"test_iter is at least 0, got {batches}", field="test_iter")
    if param.test_state and len(param.test_state) != count:
        raise NetcliError(
            f"test_state is given {_times(len(param.test_state))} for {count} test net{'' if count == 1 else 's'}; "
            "give one for each, or none",
            field="test_state",
        )
    if count and param.test_interval <= 0:
        raise NetcliError(
            f"test_iter needs a test_interval above 0, got {param.test_interval}",
            field="test_interval" if param.HasField("test_interval") else "test_iter",
        )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _train_choice(solver: Document) -> Choice:
    param = solver.message
    field = next(name for name in TRAIN_FIELDS if param.HasField(name))
    document, path = _read(solver, field)
    return _choice(document, path, _origin(field, path), TRAIN, param.train_state)


def _test_choices(solver: Document) -> list[Choice]:
    param = solver.message
    wanted = [("test_net_param", i) for i in range(len(param.test_net_param))]
    wanted += [("test_net", i) for i in range(len(param.test_net))]
    general = "net_param" if param.HasField("net_param") else "net"
    wanted += [(general, 0)] * (len(param.test_iter) - len(wanted))
    choices = []
    for number, ((field, index), batches) in enumerate(zip(wanted, param.test_iter, strict=True)):
        document, path = _read(solver, field, index)
        state = param.test_state[number] if param.test_state else None
        choices.append(_choice(document, path, _origin(field, path), TEST, state, batches, is_test=True))
    return choices


def _read(solver: Document, field: str, index: int = 0) -> tuple[Document, str | None]:
    """The net of a field of the solver: the file it names, or the text it holds."""
    value = getattr(solver.message, field)
    value = value[index] if field.startswith("test_") else value
    lines = solver.lines.child(field, index)
    if field.endswith("_param"):
        return upgrade_net(Document(value, lines)), None
    path = find_file(value, solver.lines)
    if not os.path.exists(path):  # a fault of the line that names it
        raise NetcliError(f"there is no net file {path}", place=lines.place())
    return read_net(path), path


def _origin(field: str, path: str | None) -> str:
    return field if path is None else f"{field} file: {path}"


def _choice(
    document: Document,
    path: str | None,
    origin: str,
    phase: int,
    state: Any,
    batches: int = 0,
    *,
    is_test: bool = False,
) -> Choice:
    """Precedence as in Caffe: the solver's default, then the net's own state, then the solver's for this net."""
    own = document.message.state
    if state is not None and state.HasField("phase"):
        phase = state.phase
    elif own.HasField("phase"):
        phase = own.phase
    level = state.level if state is not None and state.HasField("level") else None
    stages: Sequence[str] = state.stage if state is not None else ()
    return Choice(document, origin, path, phase, level, tuple(stages), batches, is_test)
