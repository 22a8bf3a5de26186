"""Who runs backward: Caffe's choices (test_net.cpp and Net::Init), on nets made for each."""

import numpy as np
import pytest

from net.nets import TEST, TRAIN, data, fill, layer, net, refusal

XY = data("x", 2, 3) + data("y", 2, 3)


def runs(text, phase=TRAIN, **options):
    """{layer: bottoms it writes the diffs of} for those that run backward."""
    made = net(text, phase, **options)
    return {
        name: [bottom for bottom, wanted in zip(bottoms, run.propagate, strict=True) if wanted]
        for name, bottoms, run in zip(made.layer_names, made.bottom_names, made._backward, strict=True)
        if run.runs
    }


def ip(name, bottom, rest="", outputs=3):
    return layer("InnerProduct", name, bottom, rest=f"inner_product_param {{ num_output: {outputs} }} {rest}")


def test_from_the_loss_to_the_lowest_that_learns():
    text = XY + layer("ELU", "e", "x") + ip("a", "e") + ip("b", "a") + layer("EuclideanLoss", "loss", "b y")
    assert runs(text) == {"a": [], "b": ["a"], "loss": ["b"]}


def test_nothing_runs_without_a_loss():
    assert runs(XY + ip("a", "x")) == {}


def test_a_test_net_runs_none():
    assert runs(XY + ip("a", "x") + layer("EuclideanLoss", "loss", "a y"), TEST) == {}


def test_frozen_layers_below_are_left_out():
    frozen = "param { lr_mult: 0 } param { lr_mult: 0 }"
    text = XY + ip("a", "x", frozen) + ip("b", "a") + layer("EuclideanLoss", "loss", "b y")
    assert runs(text) == {"b": [], "loss": ["b"]}


def test_a_frozen_layer_above_passes_the_gradient_on():
    frozen = "param { lr_mult: 0 } param { lr_mult: 0 }"
    text = XY + ip("a", "x") + ip("b", "a", frozen) + layer("EuclideanLoss", "loss", "b y")
    assert runs(text) == {"a": [], "b": ["a"], "loss": ["b"]}


def test_propagate_down_false_stops_it():
    text = XY + ip("a", "x") + ip("b", "a", "propagate_down: false") + layer("EuclideanLoss", "loss", "b y")
    assert runs(text) == {"b": [], "loss": ["b"]}


def test_propagate_down_true_asks_for_a_diff_of_data():
    text = XY + ip("a", "x", "propagate_down: true") + layer("EuclideanLoss", "loss", "a y")
    assert runs(text) == {"a": ["x"], "loss": ["a"]}


def test_a_branch_without_a_loss_is_left_out():
    text = XY + ip("a", "x") + ip("b", "a") + ip("c", "a") + layer("EuclideanLoss", "loss", "b y")
    assert runs(text) == {"a": [], "a_a_0_split": ["a"], "b": ["a_a_0_split_0"], "loss": ["b"]}
    made = net(text)
    split = made.layers[made.layer_names.index("a_a_0_split")]
    assert split.top_has_gradient == [True, False]


def test_two_losses_in_one_net():
    text = (
        XY
        + ip("a", "x")
        + layer("EuclideanLoss", "loss1", "a y", rest="loss_weight: 1")
        + layer("EuclideanLoss", "loss2", "a y", rest="loss_weight: 0.5")
    )
    made = net(text)
    loss = made.forward()
    one, two = (float(made.blobs[name].data) for name in ("loss1", "loss2"))
    assert one == two
    assert loss == pytest.approx(1.5 * one)
    made.clear_diffs()
    made.backward()
    twice = made.params["a"][0].diff.copy()
    single = net(XY + ip("a", "x") + layer("EuclideanLoss", "loss1", "a y"))
    single.forward()
    single.clear_diffs()
    single.backward()
    np.testing.assert_allclose(twice, 1.5 * single.params["a"][0].diff, rtol=1e-6)


def test_any_top_may_be_a_loss():
    made = net(XY + ip("a", "x", "loss_weight: 3"))
    assert made.forward() == pytest.approx(3 * made.blobs["a"].data.sum())
    made.clear_diffs()
    made.backward()
    np.testing.assert_allclose(made.params["a"][1].diff, [6, 6, 6])


def test_a_loss_that_is_read_goes_through_a_split():
    made = net(XY + ip("a", "x", "loss_weight: 3") + layer("ELU", "e", "a"))
    assert made.loss_weights == {"a_a_0_split_0": 3}
    made.forward()
    made.clear_diffs()
    made.backward()
    np.testing.assert_allclose(made.params["a"][1].diff, [6, 6, 6])


def test_a_loss_weight_of_zero():
    made = net(XY + ip("a", "x") + layer("EuclideanLoss", "loss", "a y", rest="loss_weight: 0"))
    assert made.forward() == 0
    assert runs(XY + ip("a", "x") + layer("EuclideanLoss", "loss", "a y", rest="loss_weight: 0")) == {}


def test_a_loss_that_silence_reads_still_counts():
    text = XY + ip("a", "x") + layer("EuclideanLoss", "loss", "a y") + layer("Silence", "s", "loss", "")
    assert runs(text) == {"a": [], "loss": ["a"]}


def test_force_backward():
    text = "force_backward: true " + XY + layer("ELU", "e", "x") + ip("a", "e")
    assert runs(text, TEST) == {"e": ["x"], "a": ["e"]}
    made = net(text, TEST, keep_blobs=True)
    fill(made)
    made.forward()
    made.blobs["a"].diff[...] = 1
    made.backward()
    assert (made.blobs["x"].diff != 0).all()


def test_force_backward_leaves_labels_alone():
    text = "force_backward: true " + data("x", 4, 5) + data("label", 4, filler="constant")
    assert runs(text + layer("SoftmaxWithLoss", "loss", "x label")) == {"loss": ["x"]}


def test_labels_that_are_learned_are_refused():
    text = data("x", 4, 5) + ip("label", "x", outputs=1) + layer("SoftmaxWithLoss", "loss", "x label")
    assert refusal(text) == (
        "layer 'loss' (SoftmaxWithLoss): has no gradient for its bottom 'label', below which something learns; "
        "give propagate_down: false for that bottom"
    )
    net(text, TEST)  # where nothing runs backward, nothing is wrong
    net(text.replace("'loss' type", "'loss' propagate_down: false propagate_down: false type"))


def test_diffs_that_nobody_writes_read_as_zeros():
    text = (
        data("x", 2, 4)
        + data("y", 2, 2)
        + ip("a", "x", outputs=4)
        + layer("Slice", "s", "a", "b c")
        + layer("EuclideanLoss", "loss", "b y")
    )
    made = net(text)
    for _ in range(2):
        made.forward()
        made.clear_diffs()
        made.backward()
        assert (made.params["a"][1].diff[2:] == 0).all()
        assert (made.params["a"][1].diff[:2] != 0).all()
