"""Trainings on an emulated card: the CPU's numbers, files that either goes on from, and faults that are told."""

import json
import math
import sys

import numpy as np
import pytest

from arrays.emulated.ops import CardOps
from netcli.arrays.late import Late, mean
from netcli.arrays.ops import Ops
from netcli.errors import DataError, NetcliError
from netcli.snapshots import read_state
from netcli.training.caffe_log import CaffeLog
from netcli.training.guard import LOOKS, Guard
from netcli.training.hooks import Hook
from netcli.training.journal import Journal
from netcli.training.metrics import Metrics
from netcli.training.snapshot import Snapshots
from netcli.training.state import restore
from training.project import Record, weights_of

NO_TESTS = "test_interval: 100 test_initialization: false"


def trained(project, ops, state=None, hooks=(), **options):
    """Train to the end from the start or from a state; returns (trainer, record)."""
    session = project.open(ops=ops, **options)
    record = Record()
    try:
        run = session.trainer()
        run.add([Guard(session.rebuild), Snapshots(session.document.message), record, *hooks])
        if state:
            restore(run, read_state(str(state)), str(state))
        run.train()
    finally:
        session.close()
    return run, record


def assert_same(one, other):
    """Of (trainer, record): the same run, but for rounding."""
    (run, record), (other_run, other_record) = one, other
    assert record.events == other_record.events
    np.testing.assert_allclose(list(map(float, record.losses)), list(map(float, other_record.losses)), rtol=1e-5)
    for score, wanted in zip(record.scores, other_record.scores, strict=True):
        assert score[:2] == wanted[:2]
        np.testing.assert_allclose([score[2], *score[3]], [wanted[2], *wanted[3]], rtol=1e-5)
    for got, want in zip(weights_of(run), weights_of(other_run), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)


def test_lenet_is_that_of_the_cpu(lenet):
    lenet.write("clip_gradients: 0.8")
    assert_same(trained(lenet, CardOps()), trained(lenet, Ops("plain")))


@pytest.mark.parametrize(("more", "kinds"), [("", 3), ("iter_size: 2", 5), ("clip_gradients: 0.5 type: 'Adam'", 3)])
def test_iterations_are_recorded_and_replayed(project, more, kinds):
    """Of twelve iterations two are asked for; with iter_size the second backward of each adds, and is another."""
    project.write(f"{NO_TESTS} {more}")
    ops = CardOps()
    before = ops.device.replayed
    run = trained(project, ops)
    look = 1  # at the loss behind the last iteration
    assert ops.device.replayed - before == {3: 3 * 10 + look, 5: 22 + 3 * 10 + look}[kinds]
    assert_same(run, trained(project, Ops("plain")))


DRAWN = """
import numpy as np


class Drawn:
    def setup(self, bottom, top):
        self.draws = np.random.default_rng(1)

    def reshape(self, bottom, top):
        top[0].reshape(4, 1, 5, 5)
        top[1].reshape(4)

    def forward(self, bottom, top):
        top[0].data[...] = self.draws.random((4, 1, 5, 5))
        top[1].data[...] = self.draws.integers(0, 3, 4)
"""
DATA = """
layer { name: "drawn" type: "Python" top: "data" top: "label" python_param { module: "card_drawn" layer: "Drawn" } }
"""
SCALED = """
layer { name: "scaled" type: "Python" bottom: "ip2" top: "scaled"
  python_param { module: "users_layers" layer: "Scaled" param_str: "0.5" } }
"""


@pytest.mark.parametrize("in_the_middle", [False, True])
def test_python_layers_beside_what_is_recorded(project, monkeypatch, caplog, in_the_middle):
    """What brings data in stays outside of recordings; with one between others nothing is recorded, which is told."""
    (project.folder / "card_drawn.py").write_text(DRAWN)
    monkeypatch.chdir(project.folder)
    monkeypatch.setattr("sys.path", list(sys.path))
    first, loss, _ = project.net.read_text().partition('layer { name: "loss"')
    text = 'name: "tiny"' + DATA + first[first.index('layer {\n  name: "ip1"') :]
    text += SCALED * in_the_middle + loss + ' type: "SoftmaxWithLoss" top: "loss" bottom: "label" }'
    bottom = "scaled" if in_the_middle else "ip2"
    project.net.write_text(text.replace('bottom: "label" }', f'bottom: "{bottom}" bottom: "label" }}'))
    project.write(f"{NO_TESTS} snapshot: 0 snapshot_after_train: false")
    ops = CardOps()
    before = ops.device.replayed
    caplog.set_level("INFO")
    run = trained(project, ops, allow_python=True)
    told = [record.message for record in caplog.records if "replayed" in record.message]
    of_each_net = "layer 'scaled' (Python) runs on the host too, so that no pass is replayed"
    assert told == [of_each_net] * 2 * in_the_middle
    assert (ops.device.replayed - before > 20) == (not in_the_middle)
    assert_same(run, trained(project, Ops("plain"), allow_python=True))
    sys.modules.pop("card_drawn", None)


def test_tests_between_are_replayed_too(project):
    assert_same(trained(project, CardOps()), trained(project, Ops("plain")))


def test_a_net_that_cannot_be_recorded_says_so_once(project, monkeypatch, caplog):
    ops = CardOps()

    def refuse(work):
        raise ops.device.refusals[0]("a value is read while a card records\nand more")

    monkeypatch.setattr(ops.device, "record", refuse, raising=False)
    project.write(NO_TESTS)
    assert_same(trained(project, ops), trained(project, Ops("plain")))
    told = [record.message for record in caplog.records if "recorded" in record.message]
    assert told == [
        f"{what} can't be recorded, and is asked for anew each time: a value is read while a card records"
        for what in ("the forward pass", "the backward pass", "the solver's step")
    ]


@pytest.mark.parametrize("first_on_card", [True, False])
def test_a_snapshot_of_one_is_gone_on_from_by_the_other(lenet, first_on_card):
    first, then = (CardOps(), Ops("plain")) if first_on_card else (Ops("plain"), CardOps())
    whole, record = trained(lenet, first)
    resumed, rest = trained(lenet, then, f"{lenet.prefix}_iter_5.solverstate")
    np.testing.assert_allclose(list(map(float, rest.losses)), list(map(float, record.losses[5:])), rtol=1e-5)
    for got, want in zip(weights_of(resumed), weights_of(whole), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)


def test_a_resume_on_the_card_is_the_same_run(lenet):
    lenet.write("type: 'Adam' momentum2: 0.99 base_lr: 0.01")
    whole, record = trained(lenet, CardOps())
    resumed, rest = trained(lenet, CardOps(), f"{lenet.prefix}_iter_5.solverstate")
    assert list(map(float, rest.losses)) == list(map(float, record.losses[5:]))
    for got, want in zip(weights_of(resumed), weights_of(whole), strict=True):
        np.testing.assert_array_equal(got, want)


def test_the_state_that_an_lstm_carries_from_pass_to_pass(project):
    project.net.write_text("""
        layer { name: "x" type: "DummyData" top: "x" top: "cont" dummy_data_param {
          shape { dim: 2 dim: 3 dim: 4 } shape { dim: 2 dim: 3 }
          data_filler { type: "gaussian" } data_filler { type: "constant" value: 1 } } }
        layer { name: "lstm" type: "LSTM" bottom: "x" bottom: "cont" top: "h"
          recurrent_param { num_output: 3 weight_filler { type: "uniform" min: -0.5 max: 0.5 } } }
        layer { name: "zero" type: "Power" bottom: "h" top: "z" power_param { scale: 0 } }
        layer { name: "loss" type: "EuclideanLoss" bottom: "h" bottom: "z" top: "loss" propagate_down: true
          propagate_down: false }
        """)
    _, record = trained(project, CardOps())
    _, rest = trained(project, Ops("plain"), f"{project.prefix}_iter_5.solverstate")
    np.testing.assert_allclose(list(map(float, rest.losses)), list(map(float, record.losses[5:])), rtol=1e-5)


class Reads(Hook):
    """Counts when the loss of an iteration was read for the first time."""

    def __init__(self):
        self.late = []

    def poll(self, run):
        self.late.append(run.loss._read is not None)


def test_losses_are_read_where_they_are_told(lenet, tmp_path):
    lenet.write(f"display: 5 average_loss: 2 snapshot: 0 snapshot_after_train: false {NO_TESTS}")
    lines = []
    journal = Journal()
    journal.say = lambda where, text: lines.append(text)
    reads = Reads()
    trained(lenet, CardOps(), hooks=[CaffeLog(journal), Metrics(tmp_path / "metrics.jsonl"), reads])
    assert reads.late == [False, True, True, True, True, False, True, True, True, True, False, True]
    told = [line for line in lines if ", loss = " in line]
    assert [line.split()[1].rstrip(",") for line in told] == ["0", "5", "10"]
    assert all(math.isfinite(float(line.rpartition(" ")[2])) for line in told)
    entries = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert all(math.isfinite(entry["loss"]) and entry["outputs"] for entry in entries)


def test_debug_info_is_that_of_the_cpu(lenet):
    lenet.write("debug_info: true display: 5 max_iter: 2")

    def lines(ops):
        found = []
        journal = Journal()
        journal.say = lambda where, text: found.append(text)
        session = lenet.open(ops=ops, journal=journal)
        try:
            session.trainer().train()
        finally:
            session.close()
        return [line for line in found if line.startswith("    [")]

    got, want = lines(CardOps()), lines(Ops("plain"))
    assert len(got) == len(want) > 20
    for a, b in zip(got, want, strict=True):
        (text, number), (wanted, wanted_number) = a.rsplit(" ", 1), b.rsplit(" ", 1)
        assert text.split("(")[0] == wanted.split("(")[0]
        np.testing.assert_allclose(float(number.strip("()")), float(wanted_number.strip("()")), rtol=1e-4)


class Spoil(Hook):
    """Puts a number into a parameter before an iteration."""

    def __init__(self, iteration, value):
        self.iteration, self.value = iteration, value

    def before(self, run):
        if run.iteration == self.iteration:
            run.net.params["ip2"][0].data[0] = self.value


def test_a_loss_that_is_no_number_ends_the_run(lenet):
    lenet.write(f"display: 0 snapshot: 0 {NO_TESTS} max_iter: {2 * LOOKS}")
    record = Record()
    with pytest.raises(
        NetcliError, match="the loss is nan at iteration 7: parameter 0 of layer 'conv1' is not finite by iteration 19;"
    ):
        trained(lenet, CardOps(), hooks=[record, Spoil(7, math.nan)])
    assert record.events[-2:] == [f"loss {LOOKS - 2}", "end"]


def test_no_snapshot_is_written_of_what_is_no_number(lenet):
    lenet.write(f"display: 0 snapshot: 9 {NO_TESTS}")
    record = Record()
    with pytest.raises(NetcliError, match="the loss is nan at iteration 7"):
        trained(lenet, CardOps(), hooks=[record, Spoil(7, math.nan)])
    assert not [event for event in record.events if event.startswith("saved")]


def test_a_label_that_is_no_class(lenet):
    """The sentence is the CPU's."""
    lenet.net.write_text(lenet.net.read_text().replace("num_output: 3", "num_output: 2"))
    lenet.write(NO_TESTS)
    said = []
    for ops in (CardOps(), Ops("plain")):
        with pytest.raises(DataError) as caught:
            trained(lenet, ops)
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert "label 2 at item" in said[0]
    lenet.write("")  # the test net is run first, and has no gradients
    with pytest.raises(DataError, match="label 2 at item"):
        trained(lenet, CardOps())


def test_late_numbers_are_numbers():
    asked = []

    def two():
        asked.append(1)
        return 2.0

    late = Late(two)
    sums = [late + 1, 1 + late, late * 3, 3 * late, late - 1, 1 - late, late / 4, 1 / late, -late, mean([late, 4.0])]
    assert not asked
    assert [float(each) for each in sums] == [3, 3, 6, 6, 1, -1, 0.5, 0.5, -2, 3]
    assert late == 2
    assert 1 < late <= 2.0 < late + late
    assert (f"{late:.2f}", repr(late), bool(late), hash(late)) == ("2.00", "2.0", True, hash(2.0))
    assert math.isfinite(late)
    assert len(asked) == 1
    with pytest.raises(TypeError):
        late + "one"
    assert mean([1.0, 2.0]) == 1.5
