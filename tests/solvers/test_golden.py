"""Trainings that Caffe ran, run again: the first ten losses from its start weights, and ten after its snapshot.

Only ten each, because a difference in the last bit of a weight grows: Caffe's own losses, from start weights
changed by 3e-7, differ by more than 2e-3 after forty iterations of one of these runs.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from arrays.emulated.ops import CardOps
from databases import SHARED
from netcli.arrays.ops import Ops
from netcli.prototxt import read_solver
from netcli.snapshots import read_state
from netcli.training.hooks import Hook
from netcli.training.journal import Journal
from netcli.training.session import open_session
from netcli.training.state import restore

HERE = Path(__file__).resolve().parent.parent / "golden" / "solvers"
RUNS = {path.parent.name: path.parent for path in sorted(HERE.glob("*/final.npz"))}
MORE = ("adadelta", "adagrad", "adam", "nesterov", "rmsprop")
# RMSProp divides by the root of a history that begins at 0: its first steps are large and spread rounding fast.
FIRST = {"rmsprop": (5, 2e-3), "rmsprop_multistep": (5, 2e-3)}


class Losses(Hook):
    """The loss of each iteration's last pass, which is what Caffe's runs recorded; ends the run at `until`."""

    def __init__(self, until):
        self.until = until
        self.losses = []

    def computed(self, run):
        self.losses.append(float(run.net.blobs["loss"].host_data()))

    def updated(self, run):
        if run.iteration == self.until:
            run.stopped = "enough"


def folder(name):
    if name in RUNS:
        return RUNS[name]
    path = SHARED / "golden" / "solvers" / name
    if not path.is_dir():
        pytest.skip("the larger sets of cases are not beside the checkout")
    return path


def train(source, tmp_path, monkeypatch, ops, until, resume=None):
    """Run from the start weights, or from a state, up to iteration `until`; returns (losses, trainer)."""
    here = tmp_path / source.name
    shutil.copytree(source, here)
    monkeypatch.chdir(HERE)  # where `lmdb` is
    solver = read_solver(str(here / "solver.prototxt"))
    solver.message.snapshot_prefix = str(here / "ours")
    session = open_session(solver, Journal(), ops=ops, seed=1)
    try:
        losses = Losses(until)
        run = session.trainer()
        run.add([losses])
        if resume:
            restore(run, read_state(str(here / resume)), resume)
        else:
            session.load([str(here / "init.caffemodel")])
        run.train()
    finally:
        session.close()
    return losses.losses, run


@pytest.mark.parametrize("name", [*RUNS, *MORE])
def test_from_the_start(name, tmp_path, monkeypatch):
    source = folder(name)
    count, tolerance = FIRST.get(name, (10, 1e-4))
    losses, run = train(source, tmp_path, monkeypatch, Ops(), 20)
    np.testing.assert_allclose(losses[:count], np.load(source / "final.npz")["losses"][:count], rtol=0, atol=tolerance)

    theirs = read_state(str(source / "snap_iter_20.solverstate"))
    assert run.iteration == theirs.iteration
    assert run.solver.schedule.current_step(19) == theirs.current_step
    assert len(run.solver.history) == len(theirs.history)
    for mine, their in zip(run.solver.history, theirs.history, strict=True):
        assert np.abs(mine.reshape(their.shape) - their).max() <= 0.02 * np.abs(their).max()


@pytest.mark.parametrize("name", [*RUNS, *MORE])
def test_from_a_snapshot_of_caffe(name, tmp_path, monkeypatch):
    # Caffe begins its data anew after a restore; the runs were made so.
    source = folder(name)
    losses, _ = train(source, tmp_path, monkeypatch, Ops(), 30, "snap_iter_20.solverstate")
    np.testing.assert_allclose(losses, np.load(source / "final.npz")["losses"][20:30], rtol=0, atol=1e-4)


def test_from_a_snapshot_of_caffe_in_hdf5(tmp_path, monkeypatch):
    pytest.importorskip("h5py")
    source = folder("adagrad_l1")
    losses, _ = train(source, tmp_path, monkeypatch, Ops(), 30, "snaph_iter_20.solverstate.h5")
    np.testing.assert_allclose(losses, np.load(source / "final.npz")["losses"][20:30], rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["sgd_exp_itersize", "sgd_poly_clip"])
def test_plain_bodies(name, tmp_path, monkeypatch):
    losses, _ = train(folder(name), tmp_path, monkeypatch, Ops("plain"), 10)
    np.testing.assert_allclose(losses, np.load(folder(name) / "final.npz")["losses"][:10], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "name", ["adadelta_clip", "adagrad_l1", "adam_itersize", "nesterov_shared", "rmsprop_multistep", "sgd_poly_clip"]
)
def test_on_a_card(name, tmp_path, monkeypatch):
    _, tolerance = FIRST.get(name, (3, 1e-4))
    losses, run = train(folder(name), tmp_path, monkeypatch, CardOps(), 3)
    np.testing.assert_allclose(losses, np.load(folder(name) / "final.npz")["losses"][:3], rtol=0, atol=tolerance)
    assert all(type(history) is not np.ndarray for history in run.solver.history)


def test_on_a_card_from_a_snapshot_of_caffe(tmp_path, monkeypatch):
    source = folder("adagrad_l1")
    ops = CardOps()
    losses, _ = train(source, tmp_path, monkeypatch, ops, 22, "snap_iter_20.solverstate")
    np.testing.assert_allclose(losses, np.load(source / "final.npz")["losses"][20:22], rtol=0, atol=1e-4)
