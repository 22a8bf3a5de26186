"""Files above protobuf's 2 GB are refused where they are written and where they are read."""

import numpy as np
import pytest

from netcli.blob import Blob
from netcli.errors import SnapshotError
from netcli.prototxt import schema
from netcli.snapshots import (
    SolverState,
    check_history,
    check_weights,
    read_blob,
    read_state,
    read_weights,
    wire,
    write_state,
    write_weights,
)

NET = schema.NetParameter(name="x", layer=[{"name": "ip", "type": "InnerProduct"}, {"name": "loss"}])


def blobs():
    return [[Blob((30, 20), parameter=True), Blob((30,), parameter=True)], []]


def history():
    return [np.ones((30, 20), np.float32), np.ones(30, np.float32)]


def sentence(what, size, limit):
    return (
        f"a binary {what} of {size:,} bytes is more than protobuf, and so Caffe, can read ({limit:,}); "
        "snapshot_format: HDF5 has no such limit"
    )


@pytest.mark.parametrize("write_diff", [False, True])
def test_weights_one_byte_too_large_are_refused_before_anything_is_written(write_diff, tmp_path, monkeypatch):
    path = tmp_path / "x.caffemodel"
    write_weights(str(path), NET, blobs(), write_diff)
    size = path.stat().st_size
    path.unlink()
    monkeypatch.setattr(wire, "LARGEST", size - 1)
    for refuse in (check_weights, write_weights):
        with pytest.raises(SnapshotError) as caught:
            refuse(str(path), NET, blobs(), write_diff)
        assert caught.value.message == sentence("caffemodel", size, size - 1)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(wire, "LARGEST", size)
    check_weights(str(path), NET, blobs(), write_diff)
    write_weights(str(path), NET, blobs(), write_diff)


def test_a_state_one_byte_too_large_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    path = tmp_path / "x.solverstate"
    state = SolverState(iteration=300, learned_net="x.caffemodel", history=history(), current_step=2)
    write_state(str(path), state)
    size = path.stat().st_size
    path.unlink()
    monkeypatch.setattr(wire, "LARGEST", size - 1)
    with pytest.raises(SnapshotError) as caught:
        write_state(str(path), state)
    assert caught.value.message == sentence("solver state", size, size - 1)
    assert list(tmp_path.iterdir()) == []
    check_history(str(path), state.history)  # which would fit alone
    monkeypatch.setattr(wire, "LARGEST", 4 * 630)
    with pytest.raises(SnapshotError, match=r"a binary solver state of 2,5\d\d bytes is more than"):
        check_history(str(path), state.history)


class TwoGigabytes:
    """A parameter of 2**29 numbers, which are all the same one in memory."""

    data = diff = np.broadcast_to(np.float32(0), (2**15, 2**14))


def test_the_limit_is_protobuf_s_and_asking_takes_no_memory(tmp_path):
    with pytest.raises(SnapshotError, match=r"a binary caffemodel of 2,147,483,\d+ bytes is more .* \(2,147,483,647\)"):
        check_weights(str(tmp_path / "x"), NET, [[TwoGigabytes()], []])
    with pytest.raises(SnapshotError, match="a binary caffemodel of 4,294,967"):
        check_weights(str(tmp_path / "x"), NET, [[TwoGigabytes()], []], write_diff=True)
    with pytest.raises(SnapshotError, match="a binary solver state of 2,147,483,"):
        check_history(str(tmp_path / "x"), [TwoGigabytes.data])


def test_hdf5_has_no_such_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(wire, "LARGEST", 300)
    weights, state = str(tmp_path / "x.caffemodel.h5"), str(tmp_path / "x.solverstate.h5")
    check_weights(weights, NET, blobs())
    write_weights(weights, NET, blobs())
    check_history(state, history())
    write_state(state, SolverState(iteration=1, learned_net=weights, history=history()))
    assert read_weights(weights).layers[0].blobs[0].shape == (30, 20)
    assert len(read_state(state).history) == 2


def test_a_file_above_the_limit_is_told_so_before_it_is_read(tmp_path):
    path = tmp_path / "large"
    write_weights(str(path), NET, blobs())
    with open(path, "r+b") as stream:
        stream.truncate(2**31)  # zeros that take no room on the disk
    for read, what in ((read_weights, "caffemodel"), (read_state, "solver state")):
        with pytest.raises(SnapshotError) as caught:
            read(str(path))
        assert str(caught.value) == f"{path}: " + sentence(what, 2**31, 2**31 - 1)
    with pytest.raises(SnapshotError) as caught:
        read_blob(str(path))
    assert caught.value.message == (
        "a binary blob file of 2,147,483,648 bytes is more than protobuf, and so Caffe, can read (2,147,483,647)"
    )
