"""Python layers of nets that compute on a card, which is emulated."""

import sys
import threading

import numpy as np
import pytest

from arrays.emulated import xp
from arrays.emulated.ops import CARD
from netcli import pycaffe as caffe
from pycaffe.nets import DATA, convnet, on_cpu

pytestmark = pytest.mark.usefixtures("gpu")


LAYERS = """
import numpy as np


class Twice:
    def setup(self, bottom, top):
        self.blobs.add_blob(1)
        self.blobs[0].data[...] = 2

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0].data[...] = self.blobs[0].data[0] * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        self.blobs[0].diff[0] += (top[0].diff * bottom[0].data).sum()
        bottom[0].diff[...] = self.blobs[0].data[0] * top[0].diff


class OnCard:
    device = "gpu"
    seen = []

    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        self.seen.append((type(bottom[0].data), self.other_may()))
        top[0].data[...] = bottom[0].data * 2

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = top[0].diff * 2


class Drawn:
    def setup(self, bottom, top):
        self.draws = np.random.default_rng(1)

    def reshape(self, bottom, top):
        top[0].reshape(4, 1, 5, 5)
        top[1].reshape(4)

    def forward(self, bottom, top):
        top[0].data[...] = self.draws.random((4, 1, 5, 5))
        top[1].data[...] = self.draws.integers(0, 3, 4)

    def backward(self, top, propagate_down, bottom):
        pass
"""


def python_layer(name, bottoms, tops):
    words = " ".join([*(f'bottom: "{each}"' for each in bottoms), *(f'top: "{each}"' for each in tops)])
    return (
        f'layer {{ name: "{name}" type: "Python" {words} python_param {{ module: "card_layers" layer: "{name}" }} }}\n'
    )


@pytest.fixture
def layers(project, monkeypatch):
    """A project whose data comes from a Python layer; the module of the layers is there."""
    (project.folder / "card_layers.py").write_text(LAYERS)
    monkeypatch.chdir(project.folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    net = project.net.read_text()
    net = 'name: "tiny"\n' + python_layer("Drawn", [], ["data", "label"]) + net[net.index('layer {\n  name: "ip1"') :]
    project.net.write_text(net)
    project.write("test_interval: 100 test_initialization: false display: 0")
    yield project
    sys.modules.pop("card_layers", None)


def test_python_layers_train_as_on_the_cpu(layers):
    before, loss, after = layers.net.read_text().partition('layer { name: "loss"')
    twice = python_layer("Twice", ["ip2"], ["twice"])
    layers.net.write_text(before + twice + loss + after.replace('bottom: "ip2"', 'bottom: "twice"'))

    def run():
        solver = caffe.SGDSolver(layers.solver)
        solver.step(5)
        return [solver.net.blobs["loss"].data, *(b.data for blobs in solver.net.params.values() for b in blobs)]

    got, want = run(), on_cpu(run)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    assert len(got) == 6


def test_a_layer_that_works_on_the_card_has_its_arrays_and_the_turn(layers):
    before, loss, after = layers.net.read_text().partition('layer { name: "loss"')
    text = before + python_layer("OnCard", ["ip2"], ["twice"]) + loss
    layers.net.write_text(text + after.replace('bottom: "ip2"', 'bottom: "twice"'))

    def other_may():
        got = []

        def take():
            got.append(CARD.turn.acquire(blocking=False))
            if got[0]:
                CARD.turn.release()

        thread = threading.Thread(target=take)
        thread.start()
        thread.join()
        return got[0]

    def run():
        solver = caffe.SGDSolver(layers.solver)
        layer = solver.net.layer_dict["OnCard"]
        layer.other_may = other_may
        solver.net.blobs["ip2"].data[...] = 1  # a mirror, too
        solver.step(3)
        return layer.seen[-1], solver.net.blobs["twice"].data.copy()

    (kind, may), got = run()
    assert (kind, may) == (xp.DeviceArray, False)
    (kind, _), want = on_cpu(run)
    assert kind is np.ndarray
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-5)


def test_a_layer_may_leave_another_stream_current(layers):
    before, loss, after = layers.net.read_text().partition('layer { name: "loss"')
    text = before + python_layer("OnCard", ["ip2"], ["twice"]) + loss
    layers.net.write_text(text + after.replace('bottom: "ip2"', 'bottom: "twice"'))
    solver = caffe.SGDSolver(layers.solver)
    layer = solver.net.layer_dict["OnCard"]
    layer.other_may = lambda: None
    solver.step(1)
    layer.other_may = CARD.leave
    solver.step(2)


def test_a_layer_may_wait_for_another_threads_net(layers, monkeypatch, tmp_path_factory):
    other = convnet(tmp_path_factory.mktemp("other"))
    solver = caffe.SGDSolver(layers.solver)
    losses = []

    def forward(self, bottom, top):
        thread = threading.Thread(
            target=lambda: losses.append(float(other.forward(data=DATA, label=[0, 1, 2, 3])["loss"]))
        )
        thread.start()
        thread.join(10)
        assert not thread.is_alive()
        top[0].data[...] = 1
        top[1].data[...] = 0

    monkeypatch.setattr(type(solver.net.layers[0]), "forward", forward)
    solver.step(2)
    assert len(losses) == 2
    assert losses[0] == losses[1] > 0
