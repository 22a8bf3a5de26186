import logging

import numpy as np
import pytest

from net.nets import TEST, TRAIN, data, document, fill, layer, net, refusal
from netcli.arrays.ops import Ops
from netcli.errors import NetcliError, SnapshotError
from netcli.net import Net
from netcli.prototxt import parse, schema
from netcli.snapshots import LayerWeights, Weights, read_weights


def ip(name, bottom, outputs=3, rest=""):
    filler = "weight_filler { type: 'xavier' }"
    return layer("InnerProduct", name, bottom, rest=f"inner_product_param {{ num_output: {outputs} {filler} }} {rest}")


def given(name, *shape):
    return layer("Input", name, rest="input_param { shape { " + " ".join(f"dim: {s}" for s in shape) + " } }")


def conv(name, bottom, kernel):
    return layer("Convolution", name, bottom, rest=f"convolution_param {{ num_output: 2 kernel_size: {kernel} }}")


SMALL = given("x", 4, 5) + ip("a", "x") + layer("ReLU", "r", "a", "a") + ip("b", "a", 2)


# -- building


def test_a_fault_has_layer_and_numbers():
    text = given("data", 1, 3, 6, 6) + conv("c1", "data", 3) + conv("c2", "c1", 7)
    assert refusal(text) == (
        "layer 'c2' (Convolution): kernel 7x7 does not fit padded input 4x4 of bottom 'c1' (1, 2, 4, 4)"
    )


def test_no_memory_is_taken_before_the_last_shape_is_known(monkeypatch):
    taken = []
    monkeypatch.setattr("netcli.blob.Buffer.take", lambda self: taken.append(self))
    assert "c2" in refusal(given("data", 1, 3, 6, 6) + conv("c1", "data", 3) + conv("c2", "c1", 7))
    assert taken == []


def test_a_dry_net_takes_none(monkeypatch):
    taken = []
    monkeypatch.setattr("netcli.blob.Buffer.take", lambda self: taken.append(self))
    made = net(SMALL + data("y", 4, 2) + layer("EuclideanLoss", "loss", "b y"), TRAIN, dry=True)
    assert taken == []
    assert made.memory.parameters == made.memory.gradients == 4 * (15 + 3 + 6 + 2)


def test_what_was_opened_is_closed_where_building_fails(monkeypatch):
    closed = []
    monkeypatch.setattr("netcli.layers.base.Layer.close", lambda self: closed.append(self.name))
    refusal(data("x", 2) + data("y", 2) + layer("Concat", "c", "x y", rest="concat_param { axis: 3 }"))
    assert closed == ["x", "y", "c"]


def test_the_same_seed_gives_the_same_parameters():
    one, two, other = net(SMALL, seed=1), net(SMALL, seed=1), net(SMALL, seed=2)
    a, b, c = (made.params["a"][0].data for made in (one, two, other))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


def test_parameters_that_stand_in_the_prototxt():
    blobs = "blobs { shape { dim: 1 dim: 2 } data: 3 data: 4 } blobs { shape { dim: 1 } data: 5 }"
    made = net(given("x", 1, 2) + ip("a", "x", 1, blobs))
    assert made.params["a"][0].data.tolist() == [[3, 4]]
    assert len(made.weights_message.layer[1].blobs) == 0
    assert refusal(given("x", 1, 3) + ip("a", "x", 1, blobs)) == (
        "layer 'a' (InnerProduct): is given blob 0 of (1, 2), it takes (1, 3)"
    )


def test_layers_of_one_name_are_warned_of(caplog):
    with caplog.at_level(logging.WARNING):
        net(given("x", 2, 3) + ip("a", "x") + ip("a", "a").replace("top: 'a'", "top: 'b'"))
    assert caplog.messages == ["2 layers are named 'a'; weights are loaded into the first of them only"]


# -- passes


def test_forward_and_backward_are_those_of_the_layers():
    made = net(SMALL + data("y", 4, 2) + layer("EuclideanLoss", "loss", "b y"), dtype=np.float64)
    made.blobs["x"].data[...] = np.random.default_rng(0).standard_normal((4, 5))
    W1, W2 = made.params["a"][0].data, made.params["b"][0].data
    x, y = made.blobs["x"].data, made.blobs["y"].data

    def loss_of(w):
        return ((np.maximum(x @ w.T, 0) @ W2.T - y) ** 2).sum() / 8

    made.clear_diffs()
    loss = made.forward()
    y = made.blobs["y"].data
    assert loss == pytest.approx(loss_of(W1))
    made.backward()
    direction = np.random.default_rng(1).standard_normal(W1.shape)
    slope = (loss_of(W1 + 1e-6 * direction) - loss_of(W1 - 1e-6 * direction)) / 2e-6
    assert (made.params["a"][0].diff * direction).sum() == pytest.approx(slope, rel=1e-6)


def test_numbers_that_are_not_finite_pass_without_a_warning():
    text = data("x", 2, 3) + layer("InnerProduct", "a", "x", rest="inner_product_param { num_output: 3 }")
    text += layer("Softmax", "p", "a") + data("y", 2, 3) + layer("EuclideanLoss", "loss", "p y")
    made = net(text)
    made.params["a"][0].data.fill(np.inf)
    assert np.isnan(made.forward())
    made.clear_diffs()
    made.backward()
    assert np.isnan(made.params["a"][0].diff).all()


def test_gradients_are_added_until_they_are_cleared():
    made = net(SMALL + data("y", 4, 2, filler="constant") + layer("EuclideanLoss", "loss", "b y"))
    fill(made)
    made.clear_diffs()
    made.forward()
    made.backward()
    once = made.params["a"][0].diff.copy()
    made.forward()
    made.backward()
    np.testing.assert_allclose(made.params["a"][0].diff, 2 * once, rtol=1e-6)
    made.clear_diffs()
    assert (made.params["a"][0].diff == 0).all()


def test_draws_differ_from_pass_to_pass_and_come_again():
    made = net(data("x", 3, 4) + layer("Dropout", "d", "x"))
    first = [made.forward() or made.blobs["d"].data.copy() for _ in range(2)]
    assert int(made.context.passes) == 2
    assert (first[0] != first[1]).any()
    made.context.passes.value = 1
    made.forward()
    np.testing.assert_array_equal(made.blobs["d"].data, first[1])


def test_ranges_of_layers():
    made = net(SMALL + layer("Power", "p", "b"), keep_blobs=True)
    fill(made)
    made.forward()
    after = made.blobs["b"].data.copy()
    bias = made.params["b"][1].data
    made.blobs["a"].data[...] *= 2
    made.forward(start=3)
    np.testing.assert_allclose(made.blobs["b"].data, 2 * (after - bias) + bias, rtol=1e-6)
    assert int(made.context.passes) == 2
    made.forward(end=2)
    assert int(made.context.passes) == 2


def test_a_net_without_gradients_says_so():
    with pytest.raises(ValueError, match="gradients=False"):
        net(SMALL, TEST).backward()
    net(SMALL, TEST, gradients=True).backward()


def test_a_fault_in_forward_has_its_layer(monkeypatch):
    made = net(SMALL)

    def forward(bottom, top):
        raise NetcliError("the record is broken")

    made.layers[1].forward = forward
    made.reshape()
    with pytest.raises(NetcliError) as caught:
        made.forward()
    assert str(caught.value) == "layer 'a' (InnerProduct): the record is broken"


# -- shapes that change


@pytest.mark.parametrize("keep_blobs", [True, False])
def test_an_input_of_another_shape(keep_blobs):
    text = given("data", 2, 3, 8, 8) + conv("c1", "data", 3) + layer("ReLU", "r", "c1", "c1") + conv("c2", "c1", 3)
    made = net(text, TEST, keep_blobs=keep_blobs)
    for shape in [(1, 3, 12, 10), (5, 3, 7, 9), (2, 3, 8, 8)]:
        fresh = net(text.replace("dim: 2 dim: 3 dim: 8 dim: 8", " ".join(f"dim: {s}" for s in shape)), TEST)
        made.blobs["data"].reshape(shape)
        fill(made)
        fill(fresh)
        made.forward()
        fresh.forward()
        np.testing.assert_array_equal(made.blobs["c2"].data, fresh.blobs["c2"].data)
        assert made.blobs["c2"].shape == fresh.blobs["c2"].shape


def test_an_input_without_a_shape_at_first():
    made = net(layer("Input", "x") + layer("ReLU", "a", "x") + layer("ReLU", "b", "a") + layer("ReLU", "c", "b"), TEST)
    made.blobs["x"].reshape((2, 300))
    made.blobs["x"].data[...] = 2
    made.forward()
    assert (made.blobs["c"].data == 2).all()
    assert made.memory.arena == 2 * 2432  # 2400 bytes, on multiples of 64


def test_an_input_that_does_not_fit_is_told_at_the_layer():
    made = net(given("data", 2, 3, 8, 8) + conv("c1", "data", 3), TEST)
    made.blobs["data"].reshape((1, 4, 8, 8))
    with pytest.raises(NetcliError, match=r"^layer 'c1' \(Convolution\): "):
        made.forward()


def test_shapes_that_change_in_the_middle_of_a_pass():
    text = (
        given("data", 4, 3, 4, 4)
        + given("which", 4)
        + conv("c1", "data", 3)
        + layer("ReLU", "r", "c1", "c1")
        + conv("other", "c1", 1)
        + layer("Filter", "f", "c1 which", "f")
        + conv("c2", "f", 1)
    )
    shared, kept = net(text, TEST), net(text, TEST, keep_blobs=True)
    assert shared.memory.arena
    for which in [(1, 0, 1, 0), (0, 0, 1, 0), (1, 1, 1, 1)]:
        for made in (shared, kept):
            fill(made)
            made.blobs["which"].data[...] = which
            made.forward()
        assert shared.blobs["c2"].shape == (sum(which), 2, 2, 2)
        for name in shared.outputs:
            np.testing.assert_array_equal(shared.blobs[name].data, kept.blobs[name].data)


# -- weights


def test_weights_there_and_back(tmp_path):
    path = str(tmp_path / "small.caffemodel")
    made, other = net(SMALL, seed=1), net(SMALL, seed=2)
    made.save(path)
    assert other.load(read_weights(path)) == []
    for name in made.params:
        for a, b in zip(made.params[name], other.params[name], strict=True):
            np.testing.assert_array_equal(a.data, b.data)
    stored = [(w.name, w.type) for w in read_weights(path).layers]
    assert stored == [(m.name, m.type) for m in made.document.message.layer]


def weights(**layers):
    return Weights(
        "x.caffemodel",
        "",
        [LayerWeights(name, "", [np.ones(s, "f4") for s in shapes]) for name, shapes in layers.items()],
    )


def test_layers_that_are_not_here_are_named():
    assert net(SMALL).load(weights(data=[], a=[(3, 5), (3,)], fc8=[(1000, 4096)])) == ["data", "fc8"]


def test_old_files_put_ones_before():
    made = net(SMALL)
    made.load(weights(a=[(1, 1, 3, 5), (1, 1, 1, 3)]))
    assert (made.params["a"][0].data == 1).all()


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ([(3, 500), (3,)], "holds (3, 500), the net wants (3, 5)"),
        ([(3, 5), (4,)], "holds (4,) as its parameter 1, the net wants (3,)"),
        ([(5, 3), (3,)], "holds (5, 3), the net wants (3, 5)"),
        ([(1, 3, 5), (3,)], "holds (1, 3, 5), the net wants (3, 5)"),
        ([(3, 5)], "holds 1 parameters, the net wants 2"),
    ],
)
def test_weights_that_do_not_fit(shapes, words):
    made = net(SMALL)
    before = made.params["b"][0].data.copy()
    with pytest.raises(SnapshotError) as caught:
        made.load(weights(b=[(2, 3), (2,)], a=shapes))
    assert str(caught.value) == f"x.caffemodel: layer 'a' {words}; rename the layer to train it afresh"
    np.testing.assert_array_equal(made.params["b"][0].data, before)  # nothing is changed by half a file


def test_a_document_is_left_as_it_was():
    theirs = document(SMALL)
    before = theirs.message.SerializeToString()
    Net(theirs, TRAIN, ops=Ops("plain"))
    assert theirs.message.SerializeToString() == before


# -- places


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("bottom: 'x'", "bottom: 'z'", 4),  # a bottom that nobody makes
        ("top: 'a'", "top: 'a' top: 'a'", 5),
        ("num_output: 3", "num_output: 0", 6),  # told by the layer
        ("lr_mult: 1", "lr_mult: 1 } param {} param {", 7),  # told by sharing
        ("include {}", "include {} exclude {}", 8),
        ("loss_weight: 1", "loss_weight: 1 loss_weight: 1", 9),
    ],
)
def test_a_fault_has_file_and_line(old, new, line):
    text = """layer { name: 'x' type: 'Input' top: 'x'
  input_param { shape { dim: 2 dim: 5 } } }
layer { name: 'a' type: 'InnerProduct'
  bottom: 'x'
  top: 'a'
  inner_product_param { num_output: 3 }
  param { lr_mult: 1 }
  include {}
  loss_weight: 1
}
"""
    Net(parse(text, schema.NetParameter, "net.prototxt"), TRAIN, ops=Ops("plain"))
    assert old in text
    with pytest.raises(NetcliError) as caught:
        Net(parse(text.replace(old, new), schema.NetParameter, "net.prototxt"), TRAIN, ops=Ops("plain"))
    assert str(caught.value).startswith(f"net.prototxt:{line}: layer 'a' (InnerProduct): ")
