"""Weights and solver states in HDF5, beside what test_caffemodel.py and test_solverstate.py ask of the binary ones."""

import errno
import io
import os
import sys

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netcli.arrays import hdf5
from netcli.blob import Blob
from netcli.errors import NetcliError, SnapshotError
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
from netcli.snapshots.caffemodel_hdf5 import check_names


def parameter(*shape, dtype=np.float32):
    blob = Blob(shape, dtype, parameter=True)
    blob.data[...] = np.random.default_rng(sum(shape)).standard_normal(shape)
    blob.diff[...] = blob.data + 1
    return blob


def net(*names):
    return schema.NetParameter(name="small", layer=[{"name": name, "type": "InnerProduct"} for name in names])


NAMES = ("data", "conv1", "inception_3a/1x1", "inception_3a/3x3", "conv1/relu")
BLOBS = [[], [parameter(4, 3, 2, 2), parameter(4)], [parameter(2, 2)], [parameter(5, 7, dtype=np.float64)], []]


def state(iteration=40, learned_net="x.caffemodel.h5"):
    history = [np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(2, np.float64), np.float32(3)]
    run = schema.RunState(random_seed=7, loss_window=[0.5, 0.25], passes=41)
    run.positions.add(net="train", layer="data", records=2560)
    return SolverState(iteration, learned_net, history, current_step=2, run=run)


def fault(read, path):
    with pytest.raises(SnapshotError) as caught:
        read(str(path))
    assert caught.value.place.file == str(path)
    return caught.value.message


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "x.caffemodel.h5"
    write_weights(str(path), net(*NAMES), BLOBS)
    return path


@pytest.fixture
def solver(tmp_path):
    path = tmp_path / "x.solverstate.h5"
    write_state(str(path), state())
    return path


def test_weights_there_and_back(weights):
    back = {layer.name: layer.blobs for layer in read_weights(str(weights)).layers}
    assert set(back) == set(NAMES)
    for name, blobs in zip(NAMES, BLOBS, strict=True):
        assert len(back[name]) == len(blobs)
        for array, blob in zip(back[name], blobs, strict=True):
            assert array.dtype == blob.data.dtype
            np.testing.assert_array_equal(array, blob.data)


def test_weights_lie_where_caffe_looks_for_them(weights):
    with h5py.File(weights) as file:
        assert list(file) == ["data"]
        assert list(file["data/data"]) == []
        assert list(file["data/conv1"]) == ["0", "1", "relu"]
        assert file["data/conv1/0"].dtype == np.float32
        assert file["data/conv1/0"].shape == (4, 3, 2, 2)
    assert weights.read_bytes()[8] == 0  # the superblock of HDF5 1.8 and before


def test_gradients_and_parameters_of_other_layers(tmp_path):
    path = tmp_path / "x.h5"
    own = parameter(2, 3)
    write_weights(str(path), net("a", "b"), [[own], [own, parameter(2)]], write_diff=True, shared={(1, 0)})
    with h5py.File(path) as file:
        assert list(file["data/b"]) == ["1"]
        assert list(file["diff/b"]) == ["0", "1"]
        np.testing.assert_array_equal(file["diff/b/0"], own.diff)
    a, b = read_weights(str(path)).layers
    assert b.blobs[0] is None
    np.testing.assert_array_equal(a.blobs[0], own.data)


def test_a_file_of_integers_and_halves_is_read_as_float32(tmp_path):
    path = tmp_path / "x"  # known by its content, whatever its name
    with h5py.File(path, "w") as file:
        file["data/a/0"] = np.arange(3)
        file["data/a/1"] = np.array([0.5], np.float16)
        file["data/a/2"] = np.zeros((0, 4))
    (layer,) = read_weights(str(path)).layers
    assert [(blob.dtype, blob.shape) for blob in layer.blobs[:2]] == [(np.float32, (3,)), (np.float32, (1,))]
    assert layer.blobs[2].shape == (0, 4)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a", "/a"), "layer '/a' can't be stored in HDF5, where slashes part names that are not empty nor '.'"),
        (("a/./b",), "layer 'a/./b' can't be stored in HDF5, where slashes part names that are not empty nor '.'"),
        (("a", "a/0"), "layer 'a/0' can't be stored in HDF5, where it is parameter 0 of layer 'a'"),
        (("a", "a/0/b"), "layer 'a/0' can't be stored in HDF5, where it is parameter 0 of layer 'a'"),
    ],
)
def test_names_that_hdf5_can_t_hold(names, message):
    with pytest.raises(SnapshotError) as caught:
        check_names(net(*names))
    assert caught.value.message == f"{message}; rename it, or leave snapshot_format to BINARYPROTO"


def test_states_there_and_back(solver):
    back = read_state(str(solver))
    assert (back.iteration, back.learned_net, back.current_step) == (40, "x.caffemodel.h5", 2)
    assert back.run == state().run
    for a, b in zip(back.history, state().history, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_states_are_what_caffe_reads(solver):
    with h5py.File(solver) as file:
        assert (file["iter"].dtype, file["iter"].shape) == (np.int32, (1,))
        assert (file["current_step"].dtype, file["current_step"].shape) == (np.int32, (1,))
        kind = file["learned_net"].id.get_type()
        # As many bytes as the type says, the last of them zero: Caffe takes a C string from them.
        assert not kind.is_variable_str()
        memory = np.zeros((), f"V{kind.get_size()}")
        file["learned_net"].id.read(h5py.h5s.ALL, h5py.h5s.ALL, memory, mtype=kind)
        assert memory.tobytes() == b"x.caffemodel.h5\0"
        assert list(file["history"]) == ["0", "1", "2"]


def test_a_state_of_caffes(tmp_path):
    path = tmp_path / "caffe.solverstate.h5"
    with h5py.File(path, "w") as file:
        file["iter"] = np.array([20], np.int32)
        file["current_step"] = np.array([1], np.int32)
        file["learned_net"] = np.bytes_(b"snap_iter_20.caffemodel.h5")
        file["history/0"] = np.ones((2, 3), np.float32)
    back = read_state(str(path))
    assert (back.iteration, back.current_step, back.learned_net) == (20, 1, "snap_iter_20.caffemodel.h5")
    assert not back.run.netcli
    with h5py.File(path, "a") as file:
        del file["learned_net"]
        file["learned_net"] = "of variable length"
    assert read_state(str(path)).learned_net == "of variable length"


def test_equal_content_makes_equal_files(weights, solver):
    before = weights.read_bytes(), solver.read_bytes()
    write_weights(str(weights), net(*NAMES), BLOBS)
    write_state(str(solver), state())
    assert (weights.read_bytes(), solver.read_bytes()) == before


def broken(path, change):
    with h5py.File(path, "w") as file:
        change(file)
    return path


def test_other_files_are_told_apart(tmp_path):
    path = tmp_path / "x.h5"
    path.write_bytes(hdf5.SIGNATURE + bytes(100))
    assert fault(read_weights, path).startswith("is cut off or damaged: HDF5 says '")
    for words, change in [
        ("is an HDF5 file, but no caffemodel: it has no group 'data'", lambda f: f.create_group("label")),
        ("is not a caffemodel: no layers are in it", lambda f: f.create_group("data")),
        (
            "has in layer 'a' a dataset 'x'; those of a caffemodel are named 0, 1, ...",
            lambda f: f.update({"data/a/x": [1.0]}),
        ),
        ("has in layer 'a' a dataset '123456' behind 0 others", lambda f: f.update({"data/a/123456": [1.0]})),
        ("has a dataset 'data/a/0' that holds no numbers", lambda f: f.update({"data/a/0": [b"abc"]})),
        (
            "has a dataset 'data/a/0' of 1,000,000,000,000,000 numbers, too many for this machine's memory",
            lambda f: f.create_dataset("data/a/0", (10**15,), np.float32, chunks=(1000,)),
        ),
    ]:
        assert fault(read_weights, broken(path, change)) == words
    for words, change in [
        ("is not a solver state: it has no iteration", lambda f: f.create_group("data")),
        ("has no dataset 'current_step'", lambda f: f.update(iter=[1])),
        ("has no dataset 'iter'", lambda f: f.create_group("iter")),
        (
            "is not a solver state, or damaged: iter is not a number of iterations or steps",
            lambda f: f.update(iter=[-1]),
        ),
        (
            "is not a whole solver state: it has no group 'history'",
            lambda f: f.update(iter=[1], current_step=[0]),
        ),
        ("has no dataset 'history/0'", lambda f: f.update({"iter": [1], "current_step": 0, "history/1": [0.0]})),
        (
            "is not a solver state, or damaged: learned_net is not a string",
            lambda f: f.update(iter=[1], current_step=[0], learned_net=[1]),
        ),
    ]:
        assert fault(read_state, broken(path, change)) == words
    broken(path, lambda f: f.update({"iter": [1], "current_step": [0], "history/0": [0.0], "run": [7]}))
    assert fault(read_state, path).startswith("is not a solver state, or damaged: ")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True))
def test_any_cut_is_told(weights, solver, share):
    for path, read in ((weights, read_weights), (solver, read_state)):
        content = path.read_bytes()
        cut = path.with_name("cut")
        cut.write_bytes(content[: int(share * len(content))])
        fault(read, cut)


@pytest.mark.parametrize("calls", range(0, 12, 3))
def test_a_full_disk_leaves_nothing_and_is_told_in_the_system_s_words(weights, monkeypatch, calls):
    """Wherever in the writing it happens, and also at the interpreter's end: HDF5 has nothing left to do."""
    before = weights.read_bytes()
    made = []

    class Full(io.FileIO):
        def write(self, data):
            made.append(len(data))
            if len(made) > calls:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data)

    monkeypatch.setattr("builtins.open", lambda path, _: Full(path, "x+"))
    with pytest.raises(SnapshotError, match="can't be written: no space left on device"):
        write_weights(str(weights), net("other"), [[parameter(100, 100)]])
    monkeypatch.undo()
    assert weights.read_bytes() == before
    assert [path.name for path in weights.parent.iterdir()] == [weights.name]


def test_an_interrupt_leaves_nothing(weights):
    class Interrupted(Blob):
        @property
        def data(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_weights(str(weights), net("a", "b"), [[parameter(100, 100)], [Interrupted((1,))]])
    assert len(read_weights(str(weights)).layers) == len(NAMES)
    assert [path.name for path in weights.parent.iterdir()] == [weights.name]


def test_without_h5py(weights, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    for act in (lambda: read_weights(str(weights)), lambda: write_state(str(weights) + ".h5", state())):
        with pytest.raises(NetcliError) as caught:
            act()
        assert str(caught.value) == "HDF5 files need h5py: pip install netcli[hdf5]"


def snapshot(folder, iteration, end, written):
    weights = folder / f"run_iter_{iteration}.caffemodel{end}"
    write_weights(str(weights), net("ip"), [[parameter(2, 3)]])
    path = folder / f"run_iter_{iteration}.solverstate{end}"
    write_state(str(path), state(iteration, str(weights)))
    os.utime(path, (written, written))
    return path


def test_the_newest_of_both_formats(tmp_path, caplog, monkeypatch):
    prefix = str(tmp_path / "run")
    binary = snapshot(tmp_path, 20, "", 2000)
    assert newest_state(prefix) == str(binary)
    h5 = snapshot(tmp_path, 20, ".h5", 3000)
    assert newest_state(prefix) == str(h5)
    os.utime(binary, (4000, 4000))
    assert newest_state(prefix) == str(binary)
    later = snapshot(tmp_path, 30, ".h5", 1000)
    assert newest_state(prefix) == str(later)
    newer = read_state(str(h5))
    newer.run.generation = 1  # of a run begun later
    write_state(str(h5), newer)
    assert (newest_state(prefix), next_generation(prefix)) == (str(h5), 2)
    newer.run.generation = 0
    write_state(str(h5), newer)
    os.utime(h5, (3000, 3000))
    later.with_name("run_iter_30.caffemodel.h5").write_bytes(b"")
    assert newest_state(prefix) == str(binary)
    assert caplog.messages[-1].startswith("passed over the snapshot of iteration 30: ")
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert newest_state(prefix) == str(binary)
