import pytest

from netcli.arrays.ops import Ops
from netcli.layers.base import TEST
from netcli.net import Net
from netcli.net.label_range import label_ranges
from netcli.prototxt import read_net

NET = """
layer { name: "in" type: "Input" top: "x" top: "label" top: "map"
  input_param { shape { dim: 2 dim: 3 dim: 4 dim: 4 } shape { dim: 2 } shape { dim: 2 dim: 1 dim: 4 dim: 4 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 7 } }
layer { name: "few" type: "InnerProduct" bottom: "x" top: "few" inner_product_param { num_output: 5 } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv" convolution_param { num_output: 4 kernel_size: 1 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy"
  accuracy_param { ignore_label: 255 } }
layer { name: "hinge" type: "HingeLoss" bottom: "few" bottom: "label" top: "hinge" }
layer { name: "mix" type: "Mix" bottom: "x" bottom: "label" top: "y" top: "shares" mix_param { num_classes: 6 } }
layer { name: "pixels" type: "SoftmaxWithLoss" bottom: "conv" bottom: "map" top: "pixels"
  softmax_param { axis: -3 } loss_param { ignore_label: -1 } }
"""


@pytest.fixture
def net(tmp_path):
    (tmp_path / "net.prototxt").write_text(NET)
    net = Net(read_net(str(tmp_path / "net.prototxt")), TEST, ops=Ops("plain"), dry=True)
    yield net
    net.close()


def test_who_reads_labels_and_of_how_many_classes(net):
    found = label_ranges(net, "label")
    assert [(each.layer, each.scores, each.classes) for each in found] == [
        ("loss", "ip", 7),
        ("accuracy", "ip", 7),
        ("hinge", "few", 5),
        ("mix", "shares", 6),
    ]
    (pixels,) = label_ranges(net, "map")
    assert (pixels.layer, pixels.classes, pixels.ignored) == ("pixels", 4, {-1})
    assert label_ranges(net, "x") == []


def test_labels_that_a_layer_takes(net):
    accuracy = label_ranges(net, "label")[1]
    assert [label for label in (-1, 0, 6, 7, 255) if accuracy.has(label)] == [0, 6, 255]
