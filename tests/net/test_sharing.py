import numpy as np
import pytest

from net.nets import TEST, TRAIN, data, layer, net, refusal
from netcli.errors import SnapshotError
from netcli.snapshots import read_weights


def twins(first="", second="", shapes=((2, 3), (2, 3))):
    """Two PReLUs whose slopes are one parameter called w."""
    text = ""
    for name, param, shape in zip("ab", (first, second), shapes, strict=True):
        text += data(f"{name}x", *shape) + layer("PReLU", name, f"{name}x", rest=f"param {{ name: 'w' {param} }}")
    return text


def test_the_first_owns():
    made = net(twins())
    (parameter,) = made.learnable
    assert (parameter.name, parameter.layer, parameter.index) == ("w", "a", 0)
    a, b = made.params["a"][0], made.params["b"][0]
    a.data[...] = 7
    assert (b.data == 7).all()
    assert a.diff_buffer is b.diff_buffer


def test_a_net_that_looks_at_anothers_parameters_fills_its_own_data():
    text = (
        "layer { name: 'x' type: 'DummyData' top: 'x' dummy_data_param { shape { dim: 2 } data_filler { value: 5 } } }"
    )
    other = net(text)
    other.blobs["x"].data.fill(1)
    mine = net(text, shared_with=other)
    mine.forward()
    assert (mine.blobs["x"].data == 5).all()


def test_the_owners_filler_counts():
    other = twins().replace("name: 'b'", "prelu_param { filler { value: 9 } } name: 'b'")
    assert (net(other).params["b"][0].data == 0.25).all()


def test_gradients_are_summed():
    text = (
        data("x", 2, 3)
        + data("y", 2, 3)
        + layer("PReLU", "a", "x", rest="param { name: 'w' }")
        + layer("PReLU", "b", "a", rest="param { name: 'w' }")
        + layer("EuclideanLoss", "loss", "b y")
    )
    shared = net(text, seed=3)
    apart = net(text.replace("param { name: 'w' }", ""), seed=3)
    for made in (shared, apart):
        made.forward()
        made.clear_diffs()
        made.backward()
    total = sum(p.blob.diff for p in apart.learnable)
    np.testing.assert_allclose(shared.learnable[0].blob.diff, total, rtol=1e-6)


def test_multipliers_of_either():
    (parameter,) = net(twins("", "lr_mult: 2 decay_mult: 0")).learnable
    assert (parameter.lr_mult, parameter.decay_mult) == (2, 0)
    (parameter,) = net(twins("lr_mult: 2", "")).learnable
    assert (parameter.lr_mult, parameter.decay_mult) == (2, 1)


@pytest.mark.parametrize("which", ["lr_mult", "decay_mult"])
def test_multipliers_that_disagree(which):
    assert refusal(twins(f"{which}: 2", f"{which}: 0.5")) == (
        f"layer 'b' (PReLU): gives the shared parameter 'w' {which} 0.5, but layer 'a' gives it 2"
    )


def test_shapes():
    shapes = (2, 6), (2, 3)
    assert refusal(twins(shapes=shapes)) == (
        "layer 'b' (PReLU): can't share parameter 'w' (6,) of layer 'a': its own is (3,); "
        "share_mode: PERMISSIVE would compare counts alone"
    )
    assert refusal(twins("", "share_mode: PERMISSIVE", shapes)) == (
        "layer 'b' (PReLU): can't share parameter 'w' (6,) of layer 'a': its own is (3,), of another count"
    )


def test_too_many_param_fields():
    assert refusal(data("x", 2, 3) + layer("PReLU", "a", "x", rest="param {} param {}")) == (
        "layer 'a' (PReLU): has 2 param fields for 1 parameter"
    )


def test_a_rate_of_zero_stops_learning():
    made = net(data("x", 2, 3) + layer("PReLU", "a", "x", rest="param { lr_mult: 0 }"))
    assert not made.layers[1].learns(0)
    assert made.learnable[0].lr_mult == 0


def test_a_test_net_looks_at_the_training_nets_parameters():
    text = data("x", 2, 3) + layer("PReLU", "a", "x") + layer("PReLU", "b", "a")
    train = net(text, TRAIN)
    train.params["a"][0].data[...] = 5
    test = net(text.replace("name: 'b'", "name: 'c'"), TEST, shared_with=train)
    assert (test.params["a"][0].data == 5).all()
    train.params["a"][0].data[...] = 6
    assert (test.params["a"][0].data == 6).all()
    assert (test.params["c"][0].data == 0.25).all()


def test_a_test_net_of_another_shape():
    text = data("x", 2, 3) + layer("PReLU", "a", "x")
    assert refusal(text.replace("dim: 3", "dim: 4"), TEST, shared_with=net(text)) == (
        "layer 'a' (PReLU): has parameters [(4,)] here and [(3,)] in the net it shares them with"
    )


def test_an_hdf5_file_holds_a_parameter_where_it_is_owned(tmp_path):
    path = str(tmp_path / "x.caffemodel.h5")
    shared = "param { name: 'w' } inner_product_param { num_output: 4 weight_filler { type: 'xavier' } }"
    text = data("x", 2, 4) + "".join(layer("InnerProduct", name, "x", name, shared) for name in ("a", "b"))
    first, second = net(text, seed=1), net(text, seed=2)
    first.save(path)
    a, b = sorted((each for each in read_weights(path).layers if each.blobs), key=lambda each: each.name)
    assert [blob is None for blob in a.blobs + b.blobs] == [False, False, True, False]
    second.load(read_weights(path))
    for name in ("a", "b"):
        np.testing.assert_array_equal(second.params[name][0].data, first.params["a"][0].data)
    alone = net(text.replace("param { name: 'w' }", ""))
    with pytest.raises(SnapshotError, match="layer 'b' holds 1 parameters, the net wants 2; rename the layer"):
        alone.load(read_weights(path))


def test_statistics_have_no_rate_but_the_usual_decay_as_in_caffe():
    made = net(data("x", 2, 3) + layer("BatchNorm", "bn", "x"))
    assert [(p.lr_mult, p.decay_mult) for p in made.learnable] == [(0, 1)] * 3
