"""Nets as programs see them: blobs that are looked at and changed at any time, ranges of layers, parameters."""

import gc
import subprocess
import sys
import threading

import numpy as np
import pytest

from databases import make_lmdb
from netcli import pycaffe as caffe
from netcli.errors import NetcliError, SnapshotError
from pycaffe.nets import CONVNET, DEPLOY, written

pytestmark = pytest.mark.usefixtures("device")  # nets on a card are used as those on the CPU are


@pytest.fixture
def net(tmp_path):
    caffe.set_random_seed(3)
    net = caffe.Net(written(tmp_path, CONVNET), caffe.TRAIN)
    rng = np.random.default_rng(0)
    net.blobs["data"].data[...] = rng.standard_normal((4, 3, 9, 8))
    net.blobs["label"].data[...] = rng.integers(0, 6, 4)
    return net


def convolved(net):
    """What layer 'conv' and the ReLU over it make of the data; a plain loop over the window."""
    x, (w, b) = net.blobs["data"].data, (blob.data for blob in net.params["conv"])
    y = np.zeros((4, 5, 7, 6))
    for p in range(7):
        for q in range(6):
            y[:, :, p, q] = np.tensordot(x[:, :, p : p + 3, q : q + 3].astype(float), w, ([1, 2, 3], [1, 2, 3])) + b
    return np.maximum(y, 0)


# -- what a net keeps


def forwarded(net):
    net.forward()
    return net.engine.blobs["conv"].host_data().copy()


def test_filters_that_no_program_has_looked_at_are_kept_ready(tmp_path, device):
    one, other = (caffe.Net(written(tmp_path, CONVNET), caffe.TEST) for _ in range(2))
    for net in (one, other):
        net.engine.blobs["data"].set_data(np.random.default_rng(0).standard_normal((4, 3, 9, 8)))
    before, want = forwarded(one), forwarded(other)
    assert one.engine.context.constant
    assert not np.array_equal(before, want)
    # what is loaded is what the next pass has
    other.save(str(tmp_path / "other.caffemodel"))
    one.copy_from(str(tmp_path / "other.caffemodel"))
    np.testing.assert_array_equal(forwarded(one), want)
    # and so is what is written, at once and later on, on a card after another look
    filters = one.params["conv"][0].data
    np.testing.assert_allclose(forwarded(one), want, rtol=1e-5, atol=1e-6)
    assert not one.engine.context.constant
    for _ in range(2):
        if device == "gpu":
            assert one.params["conv"][0].data is filters
        filters *= 2
        assert not np.allclose(forwarded(one), want, rtol=1e-3)
        want = forwarded(one)
        np.testing.assert_allclose(one.blobs["conv"].data, convolved(one), rtol=1e-4, atol=1e-4)


def test_biases_that_a_program_has_written_are_followed(tmp_path):
    net = caffe.Net(written(tmp_path, CONVNET), caffe.TEST)
    assert not forwarded(net).any()
    for bias in (1, 2):
        net.params["conv"][1].data[...] = bias
        assert (forwarded(net) == bias).all()


@pytest.mark.parametrize("looked_at", [0, 1])
def test_filters_that_two_nets_share_are_followed_in_both(tmp_path, looked_at):
    nets = [caffe.Net(written(tmp_path, CONVNET), caffe.TEST) for _ in range(2)]
    nets[1].share_with(nets[0])
    for net in nets:
        net.engine.blobs["data"].set_data(np.random.default_rng(0).standard_normal((4, 3, 9, 8)))
        net.forward()
    other = caffe.Net(written(tmp_path, CONVNET), caffe.TEST)
    other.save(str(tmp_path / "other.caffemodel"))
    nets[looked_at].copy_from(str(tmp_path / "other.caffemodel"))
    for net in nets:
        net.forward()
        np.testing.assert_allclose(net.blobs["conv"].data, convolved(net), rtol=1e-4, atol=1e-4)


# -- looking


def test_names_and_orders_are_the_nets(net):
    assert list(net.blobs) == ["data", "label", "conv", "pool", "ip", "loss"]
    assert list(net.params) == ["conv", "ip"]
    assert [blob.shape for blob in net.params["conv"]] == [(5, 3, 3, 3), (5,)]
    assert net.inputs == ["data", "label"]
    assert net.outputs == ["loss"]
    assert net.top_names["relu"] == net.bottom_names["relu"] == ["conv"]
    assert [layer.type for layer in net.layers][2:5] == ["Convolution", "ReLU", "Pooling"]
    assert net.layer_dict["ip"] is net.layers[5]
    assert net.layer_dict["ip"].blobs[1].count == 6
    assert dict(net.blob_loss_weights) == {**dict.fromkeys(net.blobs, 0.0), "loss": 1.0}
    assert net.name == "convnet"


def test_the_names_that_programs_take_from_inside(net):
    assert net._layer_names == list(net.top_names)
    assert [net._blob_names[i] for i in net._outputs] == net.outputs
    assert [net._blob_names[i] for i in net._inputs] == net.inputs
    assert net._blobs[0] is net.blobs["data"]
    assert [net._blob_names[i] for i in net._bottom_ids(6)] == ["ip", "label"]
    assert [net._blob_names[i] for i in net._top_ids(6)] == ["loss"]


def test_blobs_have_the_old_names_of_their_axes(net):
    blob = net.blobs["data"]
    assert (blob.num, blob.channels, blob.height, blob.width) == (4, 3, 9, 8)


# -- writing and reading at any time


def test_a_pass_computes_what_the_program_wrote(net):
    out = net.forward()
    assert set(out) == {"loss"}
    np.testing.assert_allclose(net.blobs["conv"].data, convolved(net), rtol=1e-4, atol=1e-5)
    before = float(out["loss"])
    net.params["conv"][0].data[...] *= 2
    net.blobs["data"].data[1] = 0
    assert float(net.forward()["loss"]) != before
    np.testing.assert_allclose(net.blobs["conv"].data, convolved(net), rtol=1e-4, atol=1e-5)


def test_what_is_held_is_live(net):
    held = net.blobs["conv"].data
    weights = net.params["conv"][0].data
    assert held.flags.c_contiguous
    for scale in (1, 3):
        weights[...] = scale
        net.forward()
        assert net.blobs["conv"].data is held
        assert net.params["conv"][0].data is weights
        np.testing.assert_allclose(held, convolved(net), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("flat", [lambda a: a.reshape(-1), lambda a: a.ravel(), lambda a: a.reshape(4, -1).T.T.ravel()])
def test_flat_views_write_through(net, flat):
    net.forward()  # after which the engine's own order may be another
    values = np.arange(4 * 3 * 9 * 8) / 500
    flat(net.blobs["data"].data)[...] = values
    np.testing.assert_array_equal(net.blobs["data"].data, values.reshape(4, 3, 9, 8).astype(np.float32))
    net.forward()
    np.testing.assert_allclose(net.blobs["conv"].data, convolved(net), rtol=1e-4, atol=1e-4)


def test_a_blob_in_the_middle_can_be_written_and_the_net_run_from_there(net):
    net.forward()
    net.blobs["pool"].data[...] = 0
    net.params["ip"][1].data[...] = [1, 0, 0, 0, 0, 0]
    out = net.forward(start="ip")
    probability = np.exp([1, 0, 0, 0, 0, 0]) / (np.e + 5)
    labels = net.blobs["label"].data.astype(int)
    assert float(out["loss"]) == pytest.approx(-np.log(probability[labels]).mean(), rel=1e-5)
    np.testing.assert_array_equal(net.blobs["ip"].data, np.tile([1, 0, 0, 0, 0, 0], (4, 1)))


def test_looking_changes_no_number(tmp_path):
    """A net whose every blob is held against one that nobody looks at."""
    path = written(tmp_path, CONVNET)
    found = []
    for looks in (True, False):
        caffe.set_random_seed(5)
        net = caffe.Net(path, caffe.TRAIN)
        held = [(blob.data, blob.diff) for blob in net.blobs.values()] if looks else []
        net.blobs["data"].data[...] = np.random.default_rng(1).standard_normal((4, 3, 9, 8))
        for _ in range(2):
            net.clear_param_diffs()
            net.forward()
            net.backward()
        found.append([blob.diff.copy() for blobs in net.params.values() for blob in blobs])
        found[-1].append(net.blobs["data"].diff.copy())
        assert len(held) == (6 if looks else 0)
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
        assert np.abs(a).max() > 0


# -- forward


def test_forward_takes_inputs_and_returns_more_blobs(net):
    data = np.ones((4, 3, 9, 8))
    out = net.forward(blobs=["conv", "ip"], data=data, label=[0, 1, 2, 3])
    assert set(out) == {"loss", "conv", "ip"}
    assert (net.blobs["data"].data == 1).all()
    np.testing.assert_array_equal(net.blobs["label"].data, [0, 1, 2, 3])
    assert set(net.forward(end="pool")) == {"pool"}


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda net: net.forward(data=np.zeros((4, 3, 9, 8))), ValueError, "inputs are ['data', 'label']"),
        (lambda net: net.forward(data=np.zeros((2, 3, 9, 8)), label=[1] * 4), ValueError, "got (2, 3, 9, 8)"),
        (lambda net: net.forward(start="conv9"), ValueError, "no layer 'conv9'"),
        (lambda net: net.forward(blobs=["fc"]), KeyError, "no blob 'fc'"),
        (lambda net: net.backward(ip=np.zeros((4, 6))), ValueError, "outputs are ['loss']"),
        (lambda net: net.blobs["data"].reshape(2, -1), ValueError, "(2, -1)"),
        (lambda net: net.set_input_arrays(np.zeros((4, 1, 2, 2)), np.zeros(4)), TypeError, "MemoryData"),
        (lambda net: net.forward_all(data=np.zeros((3, 3, 9, 8)), label=[1] * 4), ValueError, "one length"),
    ],
)
def test_a_call_that_does_not_fit_is_refused(net, call, error, says):
    with pytest.raises(error) as caught:
        call(net)
    assert says in str(caught.value)


def test_a_part_of_the_net_draws_anew_in_each_pass(tmp_path):
    text = """
    layer { name: "data" type: "DummyData" top: "data"
      dummy_data_param { shape { dim: 64 } data_filler { type: "gaussian" } } }
    layer { name: "drop" type: "Dropout" bottom: "data" top: "drop" }
    layer { name: "last" type: "Power" bottom: "drop" top: "last" }
    """
    net = caffe.Net(written(tmp_path, text), caffe.TRAIN)
    seen = [net.forward(end="drop")["drop"].copy() for _ in range(2)]
    seen += [net.forward()["last"].copy(), net.forward(start="drop")["last"].copy()]
    assert len({array.tobytes() for array in seen}) == 4


def test_blobs_take_other_shapes_and_the_net_follows(net):
    for batch, height in ((2, 9), (6, 9), (4, 11)):
        net.blobs["data"].reshape(batch, 3, height, 8)
        net.blobs["label"].reshape(batch)
        net.blobs["data"].data[...] = 1
        net.blobs["label"].data[...] = 1
        if height == 11:  # the parameters of 'ip' no longer fit
            with pytest.raises(NetcliError, match="layer 'ip'"):
                net.forward()
            continue
        net.forward()
        assert net.blobs["pool"].shape == (batch, 5, 4, 3)
        assert net.blobs["ip"].data.shape == (batch, 6)


def test_reshape_follows_without_a_pass(tmp_path):
    net = caffe.Net(written(tmp_path, DEPLOY), caffe.TEST)
    net.blobs["data"].reshape(1, 3, 20, 20)
    net.reshape()
    assert net.blobs["conv"].shape == (1, 5, 18, 18)
    assert net.forward()["prob"].shape == (1, 5, 1, 1)


def test_any_number_of_items_goes_through_in_batches(tmp_path):
    net = caffe.Net(written(tmp_path, DEPLOY), caffe.TEST)
    data = np.random.default_rng(2).standard_normal((10, 3, 9, 8)).astype(np.float32)
    out = net.forward_all(blobs=["conv"], data=data)
    assert out["conv"].shape == (10, 5, 7, 6)
    for i in (0, 5, 9):
        net.blobs["data"].data[...] = 0
        net.blobs["data"].data[0] = data[i]
        np.testing.assert_allclose(out["prob"][i], net.forward()["prob"][0], rtol=1e-5, atol=1e-6)


def test_forward_backward_all_gives_the_diffs_of_all_items(tmp_path):
    net = caffe.Net(written(tmp_path, "force_backward: true" + DEPLOY), caffe.TEST)
    rng = np.random.default_rng(2)
    data, diff = rng.standard_normal((6, 3, 9, 8)), rng.standard_normal((6, 5, 1, 1))
    blobs, diffs = net.forward_backward_all(diffs=["conv"], data=data, prob=diff)
    assert blobs["prob"].shape == (6, 5, 1, 1)
    assert diffs["data"].shape == (6, 3, 9, 8)
    net.forward(data=data[2:])
    net.backward(prob=diff[2:])
    np.testing.assert_allclose(diffs["data"][2:], net.blobs["data"].diff, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(diffs["conv"][2:], net.blobs["conv"].diff, rtol=1e-4, atol=1e-6)


def test_memory_data_gives_the_programs_arrays(tmp_path):
    text = """
    layer { name: "data" type: "MemoryData" top: "data" top: "label"
      memory_data_param { batch_size: 2 channels: 1 height: 2 width: 3 } }
    """
    net = caffe.Net(written(tmp_path, text), caffe.TEST)
    images = np.arange(24, dtype=np.float32).reshape(4, 1, 2, 3)
    net.set_input_arrays(images, np.arange(4, dtype=np.float32))
    for start in (0, 2, 0):
        out = net.forward()
        np.testing.assert_array_equal(out["data"], images[start : start + 2])
        np.testing.assert_array_equal(out["label"], [start, start + 1])


# -- backward


def test_backward_goes_by_the_diffs_that_the_program_sets(net):
    net.forward()
    net.backward()
    once = net.params["ip"][0].diff.copy()
    assert np.abs(once).max() > 0
    net.clear_param_diffs()
    net.backward(loss=2)
    np.testing.assert_allclose(net.params["ip"][0].diff, 2 * once, rtol=1e-5, atol=1e-7)
    net.backward()  # adds, and the loss keeps its diff
    np.testing.assert_allclose(net.params["ip"][0].diff, 4 * once, rtol=1e-5, atol=1e-7)


def test_backward_from_the_middle_returns_the_bottoms_diffs(net):
    net.forward()
    dy = np.random.default_rng(3).standard_normal((4, 6)).astype(np.float32)
    net.blobs["ip"].diff[...] = dy
    out = net.backward(start="ip", end="ip", diffs=["ip"])
    assert set(out) == {"pool", "ip"}
    np.testing.assert_allclose(out["pool"].reshape(4, -1), dy @ net.params["ip"][0].data, rtol=1e-4, atol=1e-5)


def test_a_gradient_that_is_held_is_cleared(net, device):
    net.forward()
    net.backward()
    held = net.params["conv"][0].diff
    assert held.any()
    net.clear_param_diffs()
    if device == "gpu":  # at the next look
        assert net.params["conv"][0].diff is held
    assert not held.any()


def test_callbacks_come_before_and_after_each_layer(net):
    seen = []
    plain = float(net.forward()["loss"])
    net.before_forward(lambda i: seen.append(("f", i)))
    net.after_forward(lambda i: seen.append(("F", i)))
    net.before_backward(lambda i: seen.append(("b", i)))
    net.after_backward(lambda i: seen.append(("B", i)))
    assert float(net.forward()["loss"]) == plain
    net.backward(end="ip")
    assert seen == [(c, i) for i in range(7) for c in "fF"] + [(c, i) for i in (6, 5) for c in "bB"]


# -- parameters


def test_nets_share_parameters(net, tmp_path):
    other = caffe.Net(written(tmp_path, CONVNET, "other.prototxt"), caffe.TEST)
    assert not np.array_equal(other.params["ip"][0].data, net.params["ip"][0].data)
    other.share_with(net)
    net.params["ip"][0].data[2, 3] = 9
    assert other.params["ip"][0].data[2, 3] == 9
    other.params["ip"][0].diff[...] = 1
    assert not net.params["ip"][0].diff.any()


@pytest.mark.parametrize("how", ["save", "save_hdf5"])
def test_weights_are_saved_under_any_name_and_read(net, tmp_path, how):
    path = tmp_path / "weights"
    getattr(net, how)(path)
    start = path.read_bytes()[:8]
    assert (start == b"\x89HDF\r\n\x1a\n") == (how == "save_hdf5")
    for other in (
        caffe.Net(written(tmp_path, CONVNET), caffe.TEST, weights=str(path)),
        caffe.Net(written(tmp_path, CONVNET), path, caffe.TEST),
    ):
        np.testing.assert_array_equal(other.params["conv"][0].data, net.params["conv"][0].data)
    other = caffe.Net(written(tmp_path, CONVNET), caffe.TEST)
    other.load_hdf5(path)
    np.testing.assert_array_equal(other.params["ip"][1].data, net.params["ip"][1].data)


def test_weights_of_another_shape_are_refused(net, tmp_path):
    net.save(tmp_path / "weights")
    text = CONVNET.replace("num_output: 6", "num_output: 7")
    with pytest.raises(SnapshotError, match=r"layer 'ip' holds \(6, 60\), the net wants \(7, 60\)"):
        caffe.Net(written(tmp_path, text), caffe.TEST, weights=tmp_path / "weights")


def test_parameters_are_moved_between_layers_by_flat_views(tmp_path):
    """Net surgery: an inner product's weights into a convolution's."""
    cast = DEPLOY.replace('"conv" type', '"fc-conv" type').replace("kernel_size: 3", "kernel_h: 9 kernel_w: 8")
    full = DEPLOY.replace('type: "Convolution"', 'type: "InnerProduct"').replace(
        "convolution_param", "inner_product_param"
    )
    full = full.replace("kernel_size: 3", "").replace('name: "pool" type: "Pooling"', 'name: "pool" type: "Flatten"')
    full = full.replace("pooling_param { global_pooling: true pool: AVE }", "")
    conv = caffe.Net(written(tmp_path, cast), caffe.TEST)
    fc = caffe.Net(written(tmp_path, full), caffe.TEST)
    conv.params["fc-conv"][0].data.flat = fc.params["conv"][0].data.flat
    conv.params["fc-conv"][1].data[...] = fc.params["conv"][1].data
    data = np.random.default_rng(4).standard_normal((4, 3, 9, 8))
    a, b = conv.forward(data=data)["prob"], fc.forward(data=data)["prob"]
    np.testing.assert_allclose(a.reshape(4, 5), b, rtol=1e-5, atol=1e-6)


# -- building


def test_levels_and_stages_choose_layers(tmp_path):
    text = "".join(
        f"layer {{ name: '{name}' type: 'Input' top: '{name}' input_param {{ shape {{ dim: 1 }} }} {rule} }}\n"
        for name, rule in [("a", ""), ("b", "include { min_level: 1 }"), ("c", "include { stage: 's' }")]
    )
    path = written(tmp_path, text)
    assert list(caffe.Net(path, caffe.TEST).blobs) == ["a"]
    assert list(caffe.Net(path, caffe.TEST, level=1).blobs) == ["a", "b"]
    assert list(caffe.Net(path, caffe.TEST, 1, ["s"]).blobs) == ["a", "b", "c"]


def test_what_a_net_can_not_be_built_from_is_an_exception(tmp_path):
    with pytest.raises(NetcliError, match="no such file"):
        caffe.Net(str(tmp_path / "none.prototxt"), caffe.TEST)
    path = written(tmp_path, DEPLOY)
    with pytest.raises(TypeError, match="needs its phase"):
        caffe.Net(path, "weights.caffemodel")
    with pytest.raises(ValueError, match="got 7"):
        caffe.Net(path, 7)
    with pytest.raises(NetcliError, match=r"net\.prototxt:\d+: layer 'conv' \(Convolution\): kernel 30x30"):
        caffe.Net(written(tmp_path, DEPLOY.replace("kernel_size: 3", "kernel_size: 30")), caffe.TEST)


def test_a_seed_gives_the_same_nets_in_their_order(tmp_path):
    path = written(tmp_path, DEPLOY)

    def weights():
        return [caffe.Net(path, caffe.TEST).params["conv"][0].data.tobytes() for _ in range(2)]

    caffe.set_random_seed(8)
    first = weights()
    caffe.set_random_seed(8)
    assert weights() == first
    assert first[0] != first[1]


def test_a_net_that_is_forgotten_ends_its_readers_and_its_blobs_stay(tmp_path):
    db = make_lmdb(tmp_path / "db", np.ones((6, 1, 4, 4), np.uint8))
    text = f"""
    layer {{ name: "data" type: "Data" top: "data" data_param {{ source: "{db}" backend: LMDB batch_size: 2 }} }}
    """
    before = threading.active_count()
    net = caffe.Net(written(tmp_path, text), caffe.TEST)
    net.forward()
    assert threading.active_count() > before
    blob = net.blobs["data"]
    del net
    gc.collect()
    assert threading.active_count() == before
    assert (blob.data == 1).all()


def test_a_part_that_runs_follows_its_shapes_and_no_other(net):
    """Deep dream: images of a size that the inner product above does not take."""
    net.blobs["data"].reshape(1, 3, 20, 21)
    net.blobs["data"].data[...] = 1
    assert net.forward(end="pool")["pool"].shape == (1, 5, 9, 10)
    net.blobs["pool"].diff[...] = 1
    net.backward(start="pool")
    assert net.blobs["data"].diff.any()
    with pytest.raises(NetcliError, match="layer 'ip'"):
        net.forward()


def test_a_blob_in_the_middle_takes_another_batch_and_the_net_runs_from_there(net):
    net.blobs["pool"].reshape(7, 5, 4, 3)
    net.blobs["label"].reshape(7)
    x = np.random.default_rng(0).standard_normal((7, 5, 4, 3)).astype(np.float32)
    net.blobs["pool"].data[...] = x
    net.forward(start="ip")
    w, b = (blob.data for blob in net.params["ip"])
    np.testing.assert_allclose(net.blobs["ip"].data, x.reshape(7, -1) @ w.T + b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("device", ["cpu"], indirect=True)  # that of another process
def test_the_first_nets_of_a_process_may_be_made_in_several_threads(tmp_path):
    text = CONVNET + 'layer { name: "drop" type: "Dropout" bottom: "ip" top: "drop" }'
    program = f"""
import threading, numpy as np
from netcli import pycaffe as caffe
losses = []
def work():
    net = caffe.Net({written(tmp_path, text)!r}, caffe.TRAIN)
    for name, values in (("conv", 0.1), ("ip", 0.2)):
        net.params[name][0].data.flat = np.arange(net.params[name][0].count) % 7 * values
    net.blobs["data"].data[...] = np.arange(864).reshape(4, 3, 9, 8) % 5
    losses.append(float(net.forward()["loss"]))
    net.backward()
threads = [threading.Thread(target=work) for _ in range(4)]
[each.start() for each in threads]
[each.join() for each in threads]
print(len(losses), len(set(losses)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["4", "1"], done.stderr
