"""What is its own about programs whose nets compute on a card, which is emulated."""

import sys
import threading

import numpy as np
import pytest

from arrays.emulated import xp
from arrays.emulated.ops import CARD
from netcli import pycaffe as caffe
from netcli.arrays.device import CPU
from netcli.errors import DataError, NetcliError
from pycaffe.nets import CONVNET, DEPLOY, written

DATA = np.random.default_rng(0).standard_normal((4, 3, 9, 8)).astype(np.float32)


@pytest.fixture(autouse=True)
def gpu(card):
    caffe.init_log(2)
    caffe.set_device(0)
    caffe.set_mode_gpu()
    yield
    caffe.init_log()


@pytest.fixture
def transfers(monkeypatch):
    """The shapes of the arrays that went over, by the way they went."""
    seen = {"fetch": [], "send": []}
    for name in seen:
        own = getattr(CARD, name)
        monkeypatch.setattr(
            CARD, name, lambda array, values, name=name, own=own: seen[name].append(array.shape) or own(array, values)
        )
    return seen


def convnet(folder, phase=caffe.TRAIN, text=CONVNET):
    caffe.set_random_seed(3)
    return caffe.Net(written(folder, text), phase)


def on_cpu(make):
    caffe.set_mode_cpu()
    made = make()
    caffe.set_mode_gpu()
    return made


def device_of(net):
    return net.engine.context.device


# -- which device


def test_nets_stay_on_the_device_that_they_were_built_for(tmp_path):
    first = convnet(tmp_path)
    caffe.set_mode_cpu()
    second = convnet(tmp_path)
    assert (device_of(first), device_of(second)) == (CARD, CPU)
    losses = [float(net.forward(data=DATA, label=[0, 1, 2, 3])["loss"]) for net in (first, second)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert second.blobs["data"].data.base is not first.blobs["data"].data.base


def test_the_mode_of_a_solvers_file_chooses_nothing(project):
    project.write("solver_mode: GPU")
    assert device_of(on_cpu(lambda: caffe.SGDSolver(project.solver)).net) is CPU
    project.write("solver_mode: CPU")
    assert device_of(caffe.SGDSolver(project.solver).net) is CARD


def test_nets_of_different_devices_share_nothing(tmp_path):
    net, other = convnet(tmp_path), on_cpu(lambda: convnet(tmp_path))
    want = other.params["conv"][0].data.copy()
    with pytest.raises(NetcliError, match=r"net.prototxt:\d+: layer 'conv' .*can't look at .* on card 0 from the CPU"):
        other.share_with(net)
    net.params["conv"][0].data[...] = 1
    np.testing.assert_array_equal(other.params["conv"][0].data, want)
    third = convnet(tmp_path)
    third.share_with(net)
    np.testing.assert_array_equal(third.params["conv"][0].data, 1)


# -- what goes over, and when


def test_what_a_program_keeps_is_brought_up_to_date_by_its_next_look(tmp_path):
    net, other = convnet(tmp_path), on_cpu(lambda: convnet(tmp_path))
    held = net.blobs["conv"].data
    for each in (net, other):
        each.forward(data=DATA, label=[0, 1, 2, 3])
    assert not held.any()
    assert net.blobs["conv"].data is held
    np.testing.assert_allclose(held, other.blobs["conv"].data, rtol=1e-4, atol=1e-5)


def test_what_is_written_goes_over_with_the_next_pass_and_what_is_only_read_stays(tmp_path, transfers):
    net = convnet(tmp_path, caffe.TEST, DEPLOY)
    data, weights = net.blobs["data"].data, net.params["conv"][0].data
    for _ in range(3):
        net.blobs["data"].data[...] = DATA
        out = net.forward()["prob"]
        assert net.blobs["data"].data is data
        assert net.params["conv"][0].data is weights
    assert transfers["fetch"] == [weights.shape, *[out.shape] * 3]
    assert [transfers["send"].count(each.shape) for each in (data, weights, out)] == [3, 3, 2]


def test_inputs_of_a_call_are_not_fetched_before(tmp_path, transfers):
    first = 'layer { name: "first" type: "ReLU" bottom: "data" top: "data" }\n'
    net = convnet(tmp_path, text=CONVNET.replace('layer {\n  name: "conv"', first + 'layer {\n  name: "conv"'))
    for _ in range(2):
        net.forward(data=DATA, label=[0, 1, 2, 3])
    assert transfers["fetch"] == [()] * 2
    assert (net.blobs["data"].data == np.maximum(DATA, 0)).all()  # written to on the card
    assert transfers["fetch"] == [(), (), (4, 3, 9, 8)]


def test_statistics_are_written_on_the_card(tmp_path):
    first, pool, rest = DEPLOY.partition('layer { name: "pool"')
    text = first + 'layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }\n' + pool + rest
    found = []
    for net in (convnet(tmp_path, text=text), on_cpu(lambda: convnet(tmp_path, text=text))):
        for _ in range(2):
            net.forward(data=DATA)
            found.append([blob.data.copy() for blob in net.params["bn"]])
    for got, want in zip(found[:2], found[2:], strict=True):
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert not np.array_equal(found[0][0], found[1][0])


# -- what is recorded


def test_passes_of_a_program_are_replayed(tmp_path):
    net = convnet(tmp_path)
    before = CARD.replayed
    for _ in range(6):
        net.forward(data=DATA, label=[0, 1, 2, 3])
        net.clear_param_diffs()
        net.backward()
    assert CARD.replayed - before > 4
    before = CARD.replayed
    net.forward(end="pool")
    net.forward()
    assert CARD.replayed == before  # asked for anew


def test_filters_that_are_looked_at_behind_a_recording(tmp_path):
    net = convnet(tmp_path, caffe.TEST, DEPLOY)
    for _ in range(5):
        want = net.forward(data=DATA, blobs=["conv"])["conv"].copy()
    net.params["conv"][0].data[...] *= 2
    np.testing.assert_allclose(net.forward(blobs=["conv"])["conv"], 2 * want, rtol=1e-5)


def test_a_blob_that_is_put_in_caffes_order_behind_a_recording(tmp_path):
    net = convnet(tmp_path)
    for _ in range(5):
        net.forward(data=DATA, label=[0, 1, 2, 3])
    want = net.blobs["conv"].data.copy()
    _ = net.blobs["conv"]._gpu_data_ptr
    net.forward(data=DATA, label=[0, 1, 2, 3])
    np.testing.assert_array_equal(net.blobs["conv"].data, want)


MVN = """
name: "mvn" force_backward: true
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 4 dim: 3 dim: 9 dim: 8 } } }
layer { name: "mvn" type: "MVN" bottom: "data" top: "mvn" }
"""


def test_several_backwards_behind_each_forward(tmp_path):
    """What a forward that is not replayed keeps for the backward is not what one before has kept."""

    def run():
        net, seen = convnet(tmp_path, text=MVN), []
        for scale in range(1, 6):
            net.forward(data=DATA**3 * scale)
            for one in range(4):
                net.blobs["mvn"].diff[...] = 0
                net.blobs["mvn"].diff[one, 0, 0] = 1
                seen.append(net.backward()["data"].copy())
        return seen

    for got, want in zip(run(), on_cpu(run), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)


def test_a_solver_whose_net_looks_at_another_ones_weights_goes_on_with_those(project):
    project.write("test_interval: 100 test_initialization: false display: 0")

    def run():
        caffe.set_random_seed(1)
        solver, other = caffe.SGDSolver(project.solver), caffe.SGDSolver(project.solver)
        solver.step(5)
        solver.net.share_with(other.net)
        solver.step(2)
        return [blob.data for blobs in other.net.params.values() for blob in blobs]

    for got, want in zip(run(), on_cpu(run), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)


def test_weights_that_a_net_has_of_another_one_are_written_behind_a_recording(tmp_path):
    net, other = (convnet(tmp_path, caffe.TEST, DEPLOY) for _ in range(2))
    net.share_with(other)
    for _ in range(5):
        want = net.forward(data=DATA, blobs=["conv"])["conv"].copy()
    other.params["conv"][0].data[...] *= 2
    np.testing.assert_allclose(net.forward(blobs=["conv"])["conv"], 2 * want, rtol=1e-5)


def test_steps_of_a_solver_are_replayed_as_at_the_command_line(project):
    project.write("test_interval: 100 test_initialization: false display: 0 snapshot: 0")
    solver = caffe.SGDSolver(project.solver)
    before = CARD.replayed
    solver.step(12)
    assert CARD.replayed - before >= 3 * 9  # forward, backward and update


# -- trainings


def test_a_loop_that_changes_weights_and_gradients_on_the_way_is_that_of_the_cpu(project):
    project.write("test_interval: 100 momentum: 0.5")
    before = CARD.replayed

    def run():
        solver = caffe.SGDSolver(project.solver)
        net, seen = solver.net, []
        for i in range(8):
            net.clear_param_diffs()
            seen.append(float(net.forward()["loss"]))
            net.backward()
            if i % 2:
                seen.append(net.params["ip1"][0].diff.copy())
                net.params["ip1"][0].diff[...] *= 0.5
                net.params["ip2"][1].diff[...] = 1
            solver.apply_update()
            if i % 3 == 0:
                net.params["ip2"][0].data[0] = 0.1
                seen.append(net.params["ip1"][1].data.copy())
            solver.step(1)
        return [*seen, *(blob.data for blobs in net.params.values() for blob in blobs)]

    for got, want in zip(run(), on_cpu(run), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-5)
    assert CARD.replayed > before  # updates were recorded


def test_a_solver_that_nobody_looks_into_sends_nothing(project, transfers):
    project.write("test_interval: 100 display: 0")
    solver = caffe.SGDSolver(project.solver)
    solver.step(4)
    assert transfers == {"fetch": [], "send": []}
    solver.net.params["ip1"][0].data[0, 0] = 1
    solver.step(4)
    assert transfers == {"fetch": [(8, 25)], "send": [(8, 25)]}


@pytest.mark.parametrize("more", ["", "iter_size: 2"])
def test_a_wrong_label_is_told(project, more):
    project.net.write_text(project.net.read_text().replace("num_output: 3", "num_output: 2"))
    project.write(f"test_interval: 100 test_initialization: false display: 0 snapshot: 0\n{more}")
    solver = caffe.SGDSolver(project.solver)
    with pytest.raises(DataError, match="label 2 at item"):
        solver.step(3)
    solver.net.blobs["label"].data[...] = 2
    with pytest.raises(DataError, match="label 2 at item 0"):
        solver.net.forward(start="loss")
    with pytest.raises(DataError, match="label 2 at item"):
        caffe.SGDSolver(project.solver).solve()


# -- Python layers

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


# -- threads, and addresses


def test_threads_use_nets_that_others_have_made(tmp_path):
    nets = [convnet(tmp_path) for _ in range(3)]
    want = float(nets[0].forward(data=DATA, label=[0, 1, 2, 3])["loss"])
    found = []

    def work(net):
        for _ in range(5):
            net.blobs["data"].data[...] = DATA
            net.blobs["label"].data[...] = [0, 1, 2, 3]
            loss = float(net.forward()["loss"])
            net.backward()
            net.clear_param_diffs()
            found.append(loss)
        net.blobs["data"].reshape(2, 3, 9, 8)
        net.blobs["label"].reshape(2)
        net.reshape()
        net.save(str(tmp_path / f"{id(net)}.caffemodel"))
        net.copy_from(str(tmp_path / f"{id(net)}.caffemodel"))
        caffe.Net(written(tmp_path, DEPLOY, f"{id(net)}.prototxt"), caffe.TEST).forward()
        found.append("done")

    threads = [threading.Thread(target=work, args=(net,)) for net in nets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count(want) == 15
    assert found.count("done") == 3


ASKED = {
    "a net is made": lambda net, solver, folder: convnet(folder),
    "a solver is made": lambda net, solver, folder: caffe.SGDSolver(folder / "solver.prototxt"),
    "forward": lambda net, solver, folder: net.forward(),
    "a part of a forward": lambda net, solver, folder: net.forward(end="conv"),
    "backward": lambda net, solver, folder: net.backward(),
    "reshape": lambda net, solver, folder: net.reshape(),
    "clear_param_diffs": lambda net, solver, folder: net.clear_param_diffs(),
    "share_with": lambda net, solver, folder: net.share_with(net),
    "save": lambda net, solver, folder: net.save(str(folder / "it.caffemodel")),
    "copy_from": lambda net, solver, folder: net.copy_from(str(folder / "weights.caffemodel")),
    "a look": lambda net, solver, folder: net.blobs["conv"].data,
    "step": lambda net, solver, folder: solver.step(1),
    "apply_update": lambda net, solver, folder: solver.apply_update(),
}


@pytest.mark.parametrize("what", list(ASKED))
def test_what_a_thread_asks_of_a_card_waits_for_its_turn(project, what):
    project.write("test_interval: 100 test_initialization: false display: 0")
    net, solver = convnet(project.folder), caffe.SGDSolver(project.solver)
    net.forward(data=DATA, label=[0, 1, 2, 3])
    net.save(str(project.folder / "weights.caffemodel"))
    done = []
    thread = threading.Thread(target=lambda: done.append(ASKED[what](net, solver, project.folder)))
    with CARD.turn:
        thread.start()
        thread.join(0.1)
        assert thread.is_alive()
    thread.join(60)
    assert len(done) == 1


def test_a_solver_that_another_thread_made(project):
    project.write("test_interval: 2 snapshot: 2 max_iter: 4")
    made = []
    thread = threading.Thread(target=lambda: made.append(caffe.SGDSolver(project.solver)))
    thread.start()
    thread.join()
    (solver,) = made

    def use():
        solver.step(2)
        solver.snapshot()
        solver.restore(f"{project.prefix}_iter_2.solverstate")
        solver.apply_update()
        solver.solve()
        made.append(solver.net.params["ip1"][0].data.copy())

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert solver.iter == 4
    np.testing.assert_array_equal(made[1], solver.net.params["ip1"][0].data)


def test_addresses_on_the_card_are_those_of_arrays_in_caffes_order(tmp_path):
    net = convnet(tmp_path)
    net.forward(data=DATA, label=[0, 1, 2, 3])
    want = net.blobs["conv"].data.copy()
    blob = net.engine.blobs["conv"]
    assert not blob.data.flags.c_contiguous
    address = net.blobs["conv"]._gpu_data_ptr
    assert address == CARD.pointer(blob.data)
    assert blob.data.flags.c_contiguous
    np.testing.assert_array_equal(net.blobs["conv"].data, want)
    CARD.write(blob.data, want + 1)  # as a program does that has its address
    assert net.blobs["conv"]._gpu_data_ptr == address
    np.testing.assert_array_equal(net.blobs["conv"].data, want + 1)
    assert net.blobs["conv"]._gpu_diff_ptr == CARD.pointer(blob.diff)
    with pytest.raises(NetcliError, match="the net computes on the CPU"):
        _ = on_cpu(lambda: convnet(tmp_path)).blobs["conv"]._gpu_data_ptr
