import os
import signal

import pytest

from netcli.training.hooks import Hook
from netcli.training.signals import Signals
from netcli.training.snapshot import Snapshots
from training.project import Record


class Send(Hook):
    """Sends this process a signal in the middle of an iteration, or of a test."""

    def __init__(self, name, iteration, times=1, in_test=False):
        self.number = signal.Signals[name]
        self.iteration, self.times, self.in_test = iteration, times, in_test

    def computed(self, run):
        if run.iteration == self.iteration and not self.in_test:
            for _ in range(self.times):
                os.kill(os.getpid(), self.number)

    def testing(self, run, index):
        if run.iteration == self.iteration and self.in_test:
            os.kill(os.getpid(), self.number)


def train(project, send, effects=None, hooks=()):
    record = Record()
    session = project.open()
    run = session.trainer()
    run.add([Signals(effects), send, Snapshots(session.document.message), record, *hooks])
    try:
        run.train()
    finally:
        session.close()
    saved = [int(e.split("_iter_")[1].split(".")[0]) for e in record.events if e.startswith("saved")]
    return run, saved


@pytest.mark.parametrize(
    ("name", "effects", "iteration", "saved"),
    [
        ("SIGINT", None, 4, [4]),
        ("SIGTERM", None, 4, [4]),
        ("SIGHUP", None, 12, [4, 5, 10, 12]),
        ("SIGINT", {"SIGINT": "snapshot"}, 12, [4, 5, 10, 12]),
        ("SIGINT", {"SIGINT": "none"}, 12, [5, 10, 12]),
        ("SIGHUP", {"SIGHUP": "stop"}, 4, [4]),
    ],
)
def test_effects(project, name, effects, iteration, saved):
    run, written = train(project, Send(name, 3), effects)
    assert run.iteration == iteration
    assert written == saved
    assert run.stopped == (None if iteration == 12 else name)


def test_a_test_is_broken_off(project):
    run, saved = train(project, Send("SIGTERM", 8, in_test=True))
    assert (run.iteration, run.stopped, saved) == (8, "SIGTERM", [5, 8])


def test_a_snapshot_at_the_interval_is_written_once(project):
    _, saved = train(project, Send("SIGHUP", 4))
    assert saved == [5, 10, 12]


def test_a_second_interrupt_does_not_wait(project):
    with pytest.raises(KeyboardInterrupt):
        train(project, Send("SIGINT", 3, times=2))


@pytest.mark.parametrize("times", [1, 2])
def test_an_interrupt_of_the_last_snapshot_does_not_wait(project, times):
    """The first ctrl-C stops the run; one that comes while it writes its snapshot ends it at once."""

    class Again(Hook):
        def saving(self, run, weights, state):
            if run.stopped:
                for _ in range(times):
                    os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(project, Send("SIGINT", 3), hooks=[Again()])
    assert not list(project.folder.glob("tiny_iter_4*"))


def test_interrupts_that_ask_for_snapshots_are_no_hurry(project):
    run, saved = train(project, Send("SIGINT", 3, times=2), {"SIGINT": "snapshot"})
    assert (run.iteration, saved) == (12, [4, 5, 10, 12])


def test_handlers_are_put_back(project):
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    train(project, Send("SIGHUP", 3))
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
