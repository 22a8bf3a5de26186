"""Iterations of a training are traced, and are what they would have been."""

import json
import os
import signal
from contextlib import nullcontext

import numpy as np
import pytest

from arrays.emulated.card import EmulatedCard
from netcli.arrays.ops import Ops
from netcli.errors import NetcliError
from netcli.training.hooks import Hook
from netcli.training.profile import Profile
from netcli.training.signals import Signals
from netcli.training.snapshot import Snapshots
from training.project import Record, weights_of

FORWARD = ["data", "ip1", "drop1", "ip2", "loss"]  # ip1 does relu1's too
BACKWARD = ["loss", "ip2", "drop1", "relu1", "ip1"]


class Run:
    """A training of a project, with what comes of it."""

    def __init__(self, project, *hooks, first=3, last=5, profile=True, device=None):
        self.path = project.folder / "trace.json"
        self.said, self.record = [], Record()
        traced = [Profile(str(self.path), first, last, self.said.append)] if profile else []
        ops = Ops("plain") if device is None else Ops(device=device)
        session = project.open(ops=ops)
        try:
            self.run = session.trainer()
            self.run.add([*traced, Snapshots(session.document.message), self.record, *hooks])
            self.run.train()
        finally:
            session.close()
            self.weights = weights_of(self.run)

    def events(self, *kinds):
        events = [event for event in json.loads(self.path.read_text())["traceEvents"] if event["ph"] == "X"]
        return [event for event in events if event["cat"] in kinds]


def names(events):
    return [event["name"] for event in events]


def within(inner, outer):
    return outer["ts"] - 0.01 <= inner["ts"] and inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"] + 0.01


@pytest.mark.parametrize("iter_size", [1, 2])
def test_what_is_traced(project, iter_size):
    project.write(f"iter_size: {iter_size}")
    run = Run(project)
    assert run.said == [f"the trace is in {run.path}; Perfetto (https://ui.perfetto.dev) shows it"]
    iterations = run.events("iteration")
    assert names(iterations) == ["iteration 3", "iteration 4", "iteration 5"]
    work = run.events("forward", "backward", "update")
    assert names(work) == [*(FORWARD + BACKWARD) * iter_size, "update"] * 3
    assert work[1]["args"] == {"type": "InnerProduct", "with": "relu1"}
    assert work[-1]["args"] == {"type": "SGD"}
    assert names(run.events("test")) == ["test net #0"]  # before iteration 4
    assert within(run.events("test")[0], iterations[1])
    assert [event["args"]["file"] for event in run.events("snapshot")] == [f"{project.prefix}_iter_5.solverstate"]
    assert within(run.events("snapshot")[0], iterations[1])  # at its end
    for event in work:
        assert sum(within(event, iteration) for iteration in iterations) == 1
    reads = run.events("read")
    assert set(names(reads)) == {"data"}
    assert {event["tid"] for event in reads} == {1}
    rows = [e["args"]["name"] for e in json.loads(run.path.read_text())["traceEvents"] if e["name"] == "thread_name"]
    assert rows == ["work", "reads data"]


@pytest.mark.parametrize("where", ["cpu", "card"])
def test_training_is_what_it_would_have_been(project, where):
    made = [Run(project, profile=p, device=None if where == "cpu" else EmulatedCard()) for p in (True, False)]
    assert made[0].path.exists()
    assert made[0].record.events == made[1].record.events
    assert [float(loss) for loss in made[0].record.losses] == [float(loss) for loss in made[1].record.losses]
    assert made[0].record.scores == made[1].record.scores
    for got, want in zip(made[0].weights, made[1].weights, strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_card_replays_but_what_is_traced(project, monkeypatch):
    card = EmulatedCard()
    told = []
    monkeypatch.setattr(card, "named", lambda name: told.append(name) or nullcontext())

    class Replayed(Hook):
        counts = []  # noqa: RUF012

        def updated(self, run):
            self.counts.append(card.replayed)

    run = Run(project, Replayed(), first=5, last=6, device=card)
    of_iterations = np.diff(Replayed.counts).tolist()  # of iterations 1 to 11
    assert of_iterations[4:6] == [1, 1]  # the update
    assert of_iterations[6:] == [1, 5 + 1, 3, 3, 3]  # passes are recorded anew, once they have settled; 5 are a test
    assert told[:2] == ["data forward", "ip1 forward"]
    assert told.count("update update") == 2
    assert names(run.events("forward", "backward", "update")) == [*FORWARD, *BACKWARD, "update"] * 2


def test_a_run_that_is_stopped_writes_what_there_is(project):
    class Interrupt(Hook):
        def computed(self, run):
            if run.iteration == 4:
                os.kill(os.getpid(), signal.SIGINT)

    run = Run(project, Signals(), Interrupt(), last=9)
    assert (run.run.stopped, run.run.iteration) == ("SIGINT", 5)
    assert names(run.events("iteration")) == ["iteration 3", "iteration 4"]
    assert len(run.said) == 1


@pytest.mark.parametrize("fault", [KeyboardInterrupt, NetcliError("the loss is nan")])
def test_a_run_that_is_broken_off_writes_what_there_is(project, fault):
    class Breaks(Hook):
        def computed(self, run):
            if run.iteration == 4:
                raise fault

    said = []
    path = project.folder / "trace.json"
    with pytest.raises(fault if isinstance(fault, type) else NetcliError):
        project.train(Profile(str(path), 3, 9, said.append), Breaks())
    events = [event for event in json.loads(path.read_text())["traceEvents"] if event["ph"] == "X"]
    assert [event["name"] for event in events if event["cat"] == "iteration"] == ["iteration 3"]
    assert [event["name"] for event in events if event["cat"] == "update"] == ["update"]
    assert len(said) == 1


def test_a_trace_that_ends_with_the_run(project):
    run = Run(project, first=10, last=40)
    assert names(run.events("iteration")) == ["iteration 10", "iteration 11"]


def test_a_trace_that_can_t_be_written_at_last_ends_no_training(project, monkeypatch, caplog):
    class Full(Hook):
        def updated(self, run):
            if run.iteration == 4:
                os.mkdir(path)

    path = project.folder / "trace.json"
    run = project.train(Profile(str(path), 3, 5, lambda _: pytest.fail("said")), Full())
    assert run.iteration == 12
    assert caplog.messages == [f"{path}: can't be written: is a directory; the trace is lost"]


def test_iterations_that_never_come_are_told(project):
    session = project.open()
    try:
        with pytest.raises(NetcliError, match="begin after 12 iterations, and there are 12 left to train"):
            Profile("trace.json", 12, 14, print).check(session.trainer())
    finally:
        session.close()
