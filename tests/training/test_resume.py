"""A run that is stopped and resumed is the run that was not."""

import logging
import shutil

import numpy as np
import pytest

from arrays.onednn_arrays import needs_onednn
from netcli.arrays import choices
from netcli.arrays.onednn import conv
from netcli.arrays.ops import Ops
from netcli.errors import NetcliError
from netcli.snapshots import newest_state, read_state
from netcli.training.hooks import Hook
from netcli.training.snapshot import Snapshots
from netcli.training.state import restore
from training.project import Record, weights_of

CONV = """
layer {
  name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 16 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } }
}
"""


def run_from(project, state=None, hooks=(), **options):
    """Train to the end from the start or from a state; returns (weights, history, scores, losses)."""
    session = project.open(**options)
    run = session.trainer()
    record = Record()
    run.add([Snapshots(session.document.message), record, *hooks])
    if state:
        restore(run, read_state(str(state)), str(state))
    run.train()
    session.close()
    return weights_of(run), [h.copy() for h in run.solver.history], record.scores, record.losses, list(run.losses)


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("rule", ["SGD", "AdaDelta", "Adam"])
def test_the_same_numbers_from_any_snapshot(project, rule):
    project.write(f"type: '{rule}' iter_size: 2 snapshot: 1")
    weights, history, scores, losses, window = run_from(project)
    for iteration in (1, 4, 7, 11):
        again = run_from(project, f"{project.prefix}_iter_{iteration}.solverstate")
        assert same(again[0], weights)
        assert same(again[1], history)
        assert again[2] == [score for score in scores if score[0] >= iteration]
        assert again[3] == losses[iteration:]
        assert again[4] == window


def test_the_state_that_an_lstm_carries_from_pass_to_pass(project):
    project.net.write_text("""
        layer {
          name: "data" type: "DummyData" top: "x" top: "cont" top: "label"
          dummy_data_param {
            shape { dim: 3 dim: 2 dim: 4 } data_filler { type: "gaussian" }
            shape { dim: 3 dim: 2 } data_filler { value: 1 }
            shape { dim: 6 } data_filler { value: 1 }
          }
        }
        layer { name: "lstm" type: "LSTM" bottom: "x" bottom: "cont" top: "h"
          recurrent_param { num_output: 5 weight_filler { type: "gaussian" std: 1 } } }
        layer { name: "ip" type: "InnerProduct" bottom: "h" top: "ip" inner_product_param { num_output: 3 axis: 2 } }
        layer { name: "flat" type: "Reshape" bottom: "ip" top: "flat" reshape_param { shape { dim: 6 dim: 3 } } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "flat" bottom: "label" top: "loss" }
    """)
    project.write("snapshot: 1 test_interval: 0", without="test_iter")
    weights, _, _, losses, _ = run_from(project)
    for iteration in (1, 5):
        again = run_from(project, f"{project.prefix}_iter_{iteration}.solverstate")
        assert again[3] == losses[iteration:]
        assert same(again[0], weights)


@pytest.mark.parametrize(("first", "then"), [("HDF5", "HDF5"), ("HDF5", "BINARYPROTO"), ("BINARYPROTO", "HDF5")])
def test_the_same_numbers_whatever_the_format(project, first, then):
    project.write(f"snapshot_format: {first}")
    weights, history, scores, _, window = run_from(project)
    state = f"{project.prefix}_iter_5.solverstate{'.h5' if first == 'HDF5' else ''}"
    project.write(f"snapshot_format: {then}")
    again = run_from(project, state)
    assert same(again[0], weights)
    assert same(again[1], history)
    assert again[2] == [score for score in scores if score[0] >= 5]
    assert again[4] == window


def test_several_test_nets_each_with_draws_of_its_own(project):
    """A test net's data and draws go on where they were, also where it has no source but DummyData."""
    noise = project.folder / "noise.prototxt"
    noise.write_text("""
        layer {
          name: "noise" type: "DummyData" top: "data" top: "label"
          dummy_data_param {
            shape { dim: 3 dim: 1 dim: 5 dim: 5 } data_filler { type: "gaussian" }
            shape { dim: 3 } data_filler { type: "constant" }
          }
        }
        layer { name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1" inner_product_param { num_output: 8 } }
        layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2" inner_product_param { num_output: 3 } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" top: "loss" }
    """)
    project.write(f'test_net: "{noise}" test_iter: 2 test_iter: 5 test_iter: 3 snapshot: 1')
    weights, _, scores, _, _ = run_from(project)
    assert [index for _, index, _, _ in scores] == [0, 1, 2] * 4
    assert len({loss for _, index, loss, _ in scores if index == 0}) == 4
    for iteration in (3, 8):
        again = run_from(project, f"{project.prefix}_iter_{iteration}.solverstate")
        assert same(again[0], weights)
        assert again[2] == [score for score in scores if score[0] >= iteration]


def test_a_snapshot_asked_for_in_the_middle_of_a_test(project):
    """Its positions are those from before the test, which a resume begins with."""

    class Ask(Hook):
        batches = 0

        def poll(self, run):
            if run.before_tests is not None and run.iteration == 8:
                self.batches += 1
                run.wants_snapshot = self.batches == 3

    weights, _, scores, _, _ = run_from(project, hooks=[Ask()])
    again = run_from(project, f"{project.prefix}_iter_8.solverstate")
    assert same(again[0], weights)
    assert again[2] == [score for score in scores if score[0] >= 8]


def test_a_stop_in_the_middle_of_a_test(project):
    class Stop(Hook):
        def poll(self, run):
            if run.before_tests is not None and run.iteration == 8:
                run.stopped = "SIGTERM"

    weights, _, scores, _, _ = run_from(project)
    for path in project.folder.glob("tiny_iter_*"):
        path.unlink()
    _, _, broken, _, _ = run_from(project, hooks=[Stop()])
    assert broken[-1] is None
    state = newest_state(str(project.prefix))
    assert read_state(state).iteration == 8
    again = run_from(project, state)
    assert same(again[0], weights)
    assert again[2] == [score for score in scores if score[0] >= 8]


def test_a_state_of_caffes_begins_the_data_anew(project):
    run_from(project)
    state = read_state(f"{project.prefix}_iter_5.solverstate")
    state.run.Clear()
    session = project.open()
    run = session.trainer()
    restore(run, state, "caffes.solverstate")
    assert run.iteration == 5
    assert run.net.positions() == {"data": 0}
    session.close()


def test_other_circumstances_are_told_in_one_sentence(project, caplog):
    run_from(project)
    state = read_state(f"{project.prefix}_iter_5.solverstate")
    state.run.threads += 1
    state.run.net_digest = "another"
    session = project.open()
    with caplog.at_level(logging.WARNING, "netcli"):
        restore(session.trainer(), state, "there.solverstate")
    session.close()
    (message,) = [r.getMessage() for r in caplog.records]
    assert message.startswith("resumed there.solverstate with ")
    assert f"not {state.run.threads}; a net whose text has changed: last bits may differ" in message


def test_a_state_of_another_net_or_solver(project):
    run_from(project)
    state = f"{project.prefix}_iter_5.solverstate"
    project.write("type: 'Adam'")
    with pytest.raises(NetcliError, match=r"tiny_iter_5.solverstate: holds 4 histories, this net's Adam solver has 8"):
        run_from(project, state)
    project.write()
    project.net.write_text(project.net.read_text().replace("num_output: 8", "num_output: 9"))
    with pytest.raises(NetcliError, match=r"tiny_iter_5.caffemodel: layer 'ip1' holds \(8, 25\), the net wants \(9"):
        run_from(project, state)


def test_snapshots_that_have_moved_together(project, tmp_path_factory):
    weights = run_from(project)[0]
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for end in ("caffemodel", "solverstate"):
        shutil.move(f"{project.prefix}_iter_5.{end}", elsewhere)
    assert same(run_from(project, elsewhere / "tiny_iter_5.solverstate")[0], weights)


@needs_onednn
def test_the_implementations_outlive_the_cache_they_are_from(project, monkeypatch, tmp_path):
    monkeypatch.setenv("NETCLI_TIMING", "on")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(conv, "WORTH_TIMING", 0)
    text = project.net.read_text().replace('bottom: "data" top: "ip1"', 'bottom: "conv" top: "ip1"')
    project.net.write_text(text.replace('layer {\n  name: "ip1"', CONV + 'layer {\n  name: "ip1"'))

    def run(state=None, fastest=min):
        """By implementations of which the cache, empty as in a new process, names others each time."""
        monkeypatch.setattr(choices, "_measured", {})
        monkeypatch.setattr(choices, "_spent", 0.0)
        choices._on_disk.cache_clear()
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        monkeypatch.setattr(conv, "least_time", lambda programs, arrays: (fastest(programs), True))
        ops = Ops()
        return run_from(project, state, ops=ops), ops.choices.made

    (weights, history, *_), made = run()
    assert made
    _, others = run(fastest=max)
    assert all(others[key] != made[key] for key in made)
    run()
    (again, after, *_), kept = run(f"{project.prefix}_iter_5.solverstate", fastest=max)
    assert kept == made
    assert same(again, weights)
    assert same(after, history)
