import contextlib
import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcli.blob import Blob
from netcli.errors import SnapshotError
from netcli.prototxt import schema
from netcli.snapshots import (
    SolverState,
    newest_state,
    next_generation,
    read_state,
    read_weights,
    write_state,
    write_weights,
)

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "solvers"


def state(iteration=40, learned_net="x.caffemodel"):
    history = [np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(2, np.float32)]
    run = schema.RunState(random_seed=7, loss_window=[0.5, 0.25], passes=41)
    run.positions.add(net="train", layer="data", records=2560)
    return SolverState(iteration, learned_net, history, current_step=2, run=run)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("states") / "x.solverstate"
    write_state(str(path), state())
    return path.read_bytes()


def snapshot(folder, iteration, prefix="run"):
    """A state and its weights; returns their paths."""
    weights = folder / f"{prefix}_iter_{iteration}.caffemodel"
    net = schema.NetParameter(layer=[{"name": "ip", "type": "InnerProduct"}])
    write_weights(str(weights), net, [[Blob((2, 3), parameter=True)]])
    path = weights.with_suffix(".solverstate")
    write_state(str(path), state(iteration, str(weights)))
    return path, weights


def fault(path):
    with pytest.raises(SnapshotError) as caught:
        read_state(str(path))
    return caught.value.message


def test_there_and_back(tmp_path):
    path = str(tmp_path / "x.solverstate")
    write_state(path, state())
    back = read_state(path)
    assert (back.iteration, back.learned_net, back.current_step) == (40, "x.caffemodel", 2)
    assert back.run == state().run
    for a, b in zip(back.history, state().history, strict=True):
        np.testing.assert_array_equal(a, b)


def test_protobuf_reads_what_is_written(tmp_path):
    path = tmp_path / "x.solverstate"
    write_state(str(path), state())
    message = schema.SolverState.FromString(path.read_bytes())
    assert (message.iter, message.learned_net, message.current_step) == (40, "x.caffemodel", 2)
    assert [tuple(b.shape.dim) for b in message.history] == [(2, 3), (2,)]
    assert message.run == state().run


def test_weights_that_have_moved_along(tmp_path):
    path, weights = snapshot(tmp_path, 5)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    path = path.rename(moved / path.name)
    assert read_state(str(path)).learned_net == str(weights)  # still where it says
    weights.rename(moved / weights.name)
    assert read_state(str(path)).learned_net == str(moved / weights.name)


def test_other_files(tmp_path):
    path = tmp_path / "x"
    assert fault(path) == "there is no such solver state"
    path.write_bytes(b"")
    assert fault(path) == "the file is empty, so it is no solver state"
    path.write_text("net: 'x.prototxt'\n")
    assert fault(path).startswith("is not a solver state, or damaged: ")
    path.write_bytes(schema.NetParameter(layer=[{"name": "a"}]).SerializeToString())
    assert fault(path) == "is not a solver state: it has no iteration"
    path.write_bytes(schema.NetParameter(name="x", layer=[{"name": "a"}]).SerializeToString())
    assert fault(path) == "is not a solver state; is it a caffemodel?"
    path.write_bytes(schema.BlobProto(num=1, channels=3, height=1, width=1, data=[1, 2, 3]).SerializeToString())
    assert fault(path) == "is not a solver state, or damaged: field 2 is of another kind"
    path.write_bytes(schema.SolverState(iter=-1, learned_net="x").SerializeToString())
    assert fault(path) == "is not a solver state, or damaged: 18446744073709551615 is no number of iterations or steps"
    write_state(str(path), state())
    path.write_bytes(path.read_bytes()[:-20])
    assert fault(path) == "is no whole solver state: the file ends too soon"


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_cut_and_any_flipped_byte_is_read_or_told(written, tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged.solverstate"
    content = bytearray(written)
    content = content[: data.draw(st.integers(0, len(content)))]
    for _ in range(data.draw(st.integers(0, 3)) if content else 0):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(SnapshotError):
        read_state(str(path))


def test_the_newest_whole_one(tmp_path, caplog):
    prefix = str(tmp_path / "run")
    assert newest_state(prefix) is None
    assert newest_state(str(tmp_path / "no" / "folder")) is None
    paths = {n: snapshot(tmp_path, n) for n in (9, 10, 20, 30)}
    snapshot(tmp_path, 99, prefix="run_iter_5")  # of another run
    assert newest_state(prefix) == str(paths[30][0])
    cut = paths[30][1]
    cut.write_bytes(cut.read_bytes()[:-3])
    cut = paths[20][0]
    cut.write_bytes(cut.read_bytes()[:-3])
    with caplog.at_level(logging.WARNING):
        assert newest_state(prefix) == str(paths[10][0])
    assert caplog.messages == [
        f"passed over the snapshot of iteration 30: {paths[30][1]}: the file ends in the middle of layer 'ip'",
        f"passed over the snapshot of iteration 20: {paths[20][0]}: is no whole solver state: the file ends too soon",
    ]
    paths[10][1].unlink()
    assert newest_state(prefix) == str(paths[9][0])


def test_a_run_begun_later_is_newer_whatever_its_iteration(tmp_path):
    prefix = str(tmp_path / "run")
    assert next_generation(prefix) == 0
    snapshot(tmp_path, 900)
    assert next_generation(prefix) == 1
    for iteration, generation in ((10, 1), (500, 1), (20, 2)):
        path, _ = snapshot(tmp_path, iteration)
        later = read_state(str(path))
        later.run.generation = generation
        write_state(str(path), later)
    (tmp_path / "run_iter_800.solverstate").write_bytes(b"")  # what Caffe leaves on a full disk
    assert next_generation(prefix) == 3
    assert next_generation(prefix, 2, 20) == 2  # it goes on from the newest
    assert next_generation(prefix, 1, 500) == 3
    assert next_generation(str(tmp_path / "other"), 7, 5) == 7
    assert newest_state(prefix) == f"{prefix}_iter_20.solverstate"
    (tmp_path / "run_iter_20.solverstate").unlink()
    assert newest_state(prefix) == f"{prefix}_iter_500.solverstate"


@pytest.mark.parametrize("name", ["adadelta", "adam", "sgd_step", "sgd_multistep_l1"])
def test_states_that_caffe_wrote(name):
    folder = GOLDEN / name
    if not folder.exists():
        pytest.skip("../shared/golden is not here")
    found = read_state(str(folder / "snap_iter_20.solverstate"))
    assert found.iteration == 20
    assert not found.run.netcli
    assert Path(found.learned_net) == folder / "snap_iter_20.caffemodel"
    shapes = [blob.shape for layer in read_weights(found.learned_net).layers for blob in layer.blobs]
    assert [h.shape for h in found.history] == shapes * (2 if name in ("adadelta", "adam") else 1)
