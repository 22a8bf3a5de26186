import numpy as np
import pytest

from netcli.training.hooks import Hook, Order
from netcli.training.snapshot import Snapshots
from netcli.training.trainer import Trainer
from training.project import Record, weights_of


def test_the_steps_come_in_caffes_order(project):
    record = Record()
    session = project.open()
    run = session.trainer()
    run.add([Snapshots(session.document.message), record])
    run.train()
    session.close()
    assert record.events == [
        *("test 0 #0", "loss 0", "loss 1", "loss 2", "loss 3"),
        *("test 4 #0", "loss 4", "saved tiny_iter_5.caffemodel tiny_iter_5.solverstate", "loss 5", "loss 6", "loss 7"),
        *("test 8 #0", "loss 8", "loss 9", "saved tiny_iter_10.caffemodel tiny_iter_10.solverstate"),
        *("loss 10", "loss 11", "saved tiny_iter_12.caffemodel tiny_iter_12.solverstate"),
        *("looked 12", "test 12 #0", "last", "end"),
    ]


def test_a_last_snapshot_that_is_there_already_is_not_written_again(project):
    project.write("snapshot: 6")
    record = Record()
    session = project.open()
    run = session.trainer()
    run.add([Snapshots(session.document.message), record])
    run.train()
    session.close()
    assert [e for e in record.events if e.startswith("saved")] == [
        "saved tiny_iter_6.caffemodel tiny_iter_6.solverstate",
        "saved tiny_iter_12.caffemodel tiny_iter_12.solverstate",
    ]


@pytest.mark.parametrize(
    ("more", "absent"),
    [
        ("test_initialization: false", "test 0 #0"),
        ("max_iter: 11", "test 11 #0"),
        ("max_iter: 11", "looked 11"),
        ("display: 0", "looked 12"),
    ],
)
def test_what_is_not_asked_for_is_not_done(project, more, absent):
    project.write(more)
    record = Record()
    project.train(record)
    assert absent not in record.events
    assert "last" in record.events


def test_a_stop_skips_the_last_look_and_test(project):
    record = Record(stop_at=3)
    run = project.train(record)
    assert run.iteration == 3
    assert record.events == ["test 0 #0", "loss 0", "loss 1", "loss 2", "end"]


def test_the_shown_loss_is_the_mean_of_the_last_average_loss_iterations(project):
    shown = []

    class Shown(Hook):
        def computed(self, run):
            shown.append(run.smoothed_loss)

    record = Record()
    project.train(Shown(), record)
    for i, value in enumerate(shown):
        assert value == pytest.approx(np.mean(record.losses[max(0, i - 2) : i + 1]))


def test_iter_size_is_one_larger_batch(project):
    """Two passes of 4 give the step of one pass of 8, where nothing is random."""
    net = project.net.read_text().replace("mirror: true", "").replace("crop_size: 5", "")
    net = "\n".join(line for line in net.splitlines() if "Dropout" not in line)
    project.net.write_text(net)
    project.write("max_iter: 6 iter_size: 2")
    twice = project.train()
    project.net.write_text(net.replace("batch_size: 4", "batch_size: 8"))
    project.write("max_iter: 6")
    once = project.train()
    for a, b in zip(weights_of(twice), weights_of(once), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_hooks_are_called_by_their_order_and_then_as_given():
    called = []

    def hook(name, place):
        class Named(Hook):
            order = place

            def begin(self, run):
                called.append(name)

        return Named()

    class Net:
        forward = backward = None

    class Solver:
        class param:  # noqa: N801
            max_iter, average_loss, display = 0, 1, 0

        update = None

    hooks = [hook("keep", Order.KEEP), hook("read 1", Order.READ), hook("guard", Order.GUARD)]
    run = Trainer(net=Net, solver=Solver, hooks=hooks)
    run.add([hook("write", Order.WRITE), hook("read 2", Order.READ)])
    run.train()
    assert called == ["guard", "write", "read 1", "read 2", "keep"]


def test_hooks_end_whatever_happens(project):
    class Faulty(Hook):
        def updated(self, run):
            raise RuntimeError("a fault")

    record = Record()
    with pytest.raises(RuntimeError, match="a fault"):
        project.train(record, Faulty())
    assert record.events == ["test 0 #0", "loss 0", "end"]
