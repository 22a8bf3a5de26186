"""What is its own about programs whose nets compute on a card, which is emulated."""

import numpy as np
import pytest

from arrays.emulated.ops import CARD
from netcli import pycaffe as caffe
from netcli.arrays.device import CPU
from netcli.errors import DataError, NetcliError
from pycaffe.nets import CONVNET, DATA, DEPLOY, convnet, on_cpu

pytestmark = pytest.mark.usefixtures("gpu")


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
