"""Trainings by the code of a real card, over what stands in the place of CuPy and NVIDIA's libraries."""

import numpy as np
import pytest

from arrays.emulated import cupy, whole
from netcli.arrays.ops import Ops
from netcli.snapshots import read_state
from netcli.training.hooks import Hook
from netcli.training.snapshot import Snapshots
from netcli.training.state import restore
from training.project import Record, weights_of


@pytest.fixture
def card(monkeypatch):
    return whole.make(monkeypatch)


@pytest.fixture
def launched(monkeypatch):
    """Each launch of a graph."""
    seen = []
    own = cupy.Graph.launch
    monkeypatch.setattr(cupy.Graph, "launch", lambda graph, stream: seen.append(graph) or own(graph, stream))
    return seen


class Looks(Hook):
    """Looks at what lies in another order than Caffe's."""

    def computed(self, run):
        run.net.blobs["conv1"].host_data()


def trained(project, ops, state=None):
    session = project.open(ops=ops)
    record = Record()
    try:
        run = session.trainer()
        run.add([Snapshots(session.document.message), record, Looks()])
        if state:
            restore(run, read_state(str(state)), str(state))
        run.train()
        return record.losses, record.scores, weights_of(run)
    finally:
        session.close()


def assert_same(one, other):
    for a, b in zip(one[0], other[0], strict=True):
        assert float(a) == pytest.approx(float(b), rel=1e-3)
    for a, b in zip(one[1], other[1], strict=True):
        assert a[:2] == b[:2]
        assert a[2] == pytest.approx(b[2], rel=1e-3)
    for a, b in zip(one[2], other[2], strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("precision", "more"), [("f32", ""), ("tf32", "iter_size: 2"), ("tf32", "clip_gradients: 0.5")]
)
def test_a_training_is_that_of_the_cpu(lenet, card, launched, precision, more):
    lenet.write(f"snapshot: 6 {more}")
    got = trained(lenet, Ops(device=card, precision=precision))
    assert len(launched) > 20
    assert_same(got, trained(lenet, Ops()))


def test_a_training_goes_on(lenet, card):
    lenet.write("snapshot: 6 test_interval: 100 test_initialization: false")
    losses, _, weights = trained(lenet, Ops(device=card))
    rest, _, again = trained(lenet, Ops(device=card), lenet.folder / "tiny_iter_6.solverstate")
    assert list(map(float, losses[6:])) == pytest.approx(list(map(float, rest)), rel=1e-6)
    for a, b in zip(weights, again, strict=True):
        np.testing.assert_array_equal(a, b)


def test_bfloat16(lenet, card):
    got, want = (trained(lenet, ops)[0] for ops in (Ops(device=card, precision="bf16"), Ops()))
    assert list(map(float, got)) == pytest.approx(list(map(float, want)), rel=0.05)
