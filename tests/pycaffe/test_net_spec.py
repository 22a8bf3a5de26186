"""Programs as they are written for pycaffe, against the nets they mean."""

# ruff: noqa: C408  (pycaffe's programs write dict(...))

import copy
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from netcli.net import Net
from netcli.prototxt import Document, Lines, parse, schema
from netcli.pycaffe import net_spec
from netcli.pycaffe.net_spec import Function, NetSpec, Top, assign_proto, to_proto, uncamel
from netcli.pycaffe.proto import caffe_pb2

L, P = net_spec.layers, net_spec.params


def net(text):
    return parse(text, schema.NetParameter).message


def layer(top):
    """The last layer of the net that makes a top."""
    return to_proto(top).layer[-1]


def built(message, phase=0):
    """The net of a message: it holds together, and its shapes fit."""
    return Net(Document(message, Lines()), phase)


# -- whole programs


def lenet(batch):
    n = NetSpec()
    n.data, n.label = L.Data(
        batch_size=batch,
        backend=P.Data.LMDB,
        source="mnist_lmdb",
        transform_param=dict(scale=1.0 / 255),
        include=dict(phase=caffe_pb2.TRAIN),
        ntop=2,
    )
    n.conv1 = L.Convolution(n.data, kernel_size=5, num_output=20, weight_filler=dict(type="xavier"))
    n.pool1 = L.Pooling(n.conv1, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.ip1 = L.InnerProduct(
        n.pool1, num_output=500, param=[dict(lr_mult=1), dict(lr_mult=2)], weight_filler=dict(type="xavier")
    )
    n.relu1 = L.ReLU(n.ip1, in_place=True)
    n.score = L.InnerProduct(n.relu1, num_output=10, weight_filler=dict(type="gaussian", std=0.01))
    n.accuracy = L.Accuracy(n.score, n.label, include={"phase": caffe_pb2.TEST})
    n.loss = L.SoftmaxWithLoss(n.score, n.label)
    return n.to_proto()


LENET = """
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { scale: 0.00392156862745098 }
  data_param { source: "mnist_lmdb" backend: LMDB batch_size: 64 } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 20 kernel_size: 5 weight_filler { type: "xavier" } } }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "ip1" type: "InnerProduct" bottom: "pool1" top: "ip1" param { lr_mult: 1 } param { lr_mult: 2 }
  inner_product_param { num_output: 500 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "ip1" top: "ip1" }
layer { name: "score" type: "InnerProduct" bottom: "ip1" top: "score"
  inner_product_param { num_output: 10 weight_filler { type: "gaussian" std: 0.01 } } }
layer { name: "accuracy" type: "Accuracy" bottom: "score" bottom: "label" top: "accuracy" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
"""


def test_lenet():
    assert lenet(64) == net(LENET)


def logreg(hidden):
    """A classifier of rows in HDF5 files, with a hidden layer or without."""
    n = NetSpec()
    n.data, n.label = L.HDF5Data(batch_size=10, source="train.txt", ntop=2)
    below = n.data
    if hidden:
        n.ip1 = below = L.InnerProduct(below, num_output=40, weight_filler=dict(type="xavier"))
        n.relu1 = below = L.ReLU(below, in_place=True)
    n.ip2 = L.InnerProduct(below, num_output=2, weight_filler=dict(type="xavier"))
    n.accuracy = L.Accuracy(n.ip2, n.label)
    n.loss = L.SoftmaxWithLoss(n.ip2, n.label)
    return n.to_proto()


LOGREG = """
layer { name: "data" type: "HDF5Data" top: "data" top: "label" hdf5_data_param { source: "train.txt" batch_size: 10 } }
%s
layer { name: "ip2" type: "InnerProduct" bottom: "%s" top: "ip2"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip2" bottom: "label" top: "accuracy" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" top: "loss" }
"""
HIDDEN = """
layer { name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1"
  inner_product_param { num_output: 40 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "ip1" top: "ip1" }
"""


def test_logistic_regression_and_a_nonlinear_net():
    assert logreg(hidden=False) == net(LOGREG % ("", "data"))
    assert logreg(hidden=True) == net(LOGREG % (HIDDEN, "ip1"))


def alexnet_front(lmdb, include_accuracy):
    """Tops without names of their own, as in the CaffeNet example."""

    def conv_relu(bottom, size, outputs, **settings):
        conv = L.Convolution(bottom, kernel_size=size, num_output=outputs, **settings)
        return conv, L.ReLU(conv, in_place=True)

    data, label = L.Data(
        source=lmdb,
        backend=P.Data.LMDB,
        batch_size=2,
        ntop=2,
        transform_param=dict(crop_size=227, mean_value=[104, 117, 123], mirror=True),
    )
    _, relu1 = conv_relu(data, 11, 96, stride=4)
    pool1 = L.Pooling(relu1, pool=P.Pooling.MAX, kernel_size=3, stride=2)
    norm1 = L.LRN(pool1, local_size=5, alpha=1e-4, beta=0.75)
    _, relu2 = conv_relu(norm1, 5, 256, pad=2, group=2)
    drop = L.Dropout(relu2, in_place=True)
    fc = L.InnerProduct(drop, num_output=1000)
    loss = L.SoftmaxWithLoss(fc, label)
    return to_proto(loss, L.Accuracy(fc, label)) if include_accuracy else to_proto(loss)


FRONT = """
layer { name: "Data1" type: "Data" top: "Data1" top: "Data2"
  transform_param { crop_size: 227 mean_value: 104 mean_value: 117 mean_value: 123 mirror: true }
  data_param { source: "lmdb" backend: LMDB batch_size: 2 } }
layer { name: "Convolution1" type: "Convolution" bottom: "Data1" top: "Convolution1"
  convolution_param { num_output: 96 kernel_size: 11 stride: 4 } }
layer { name: "ReLU1" type: "ReLU" bottom: "Convolution1" top: "Convolution1" }
layer { name: "Pooling1" type: "Pooling" bottom: "Convolution1" top: "Pooling1"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "LRN1" type: "LRN" bottom: "Pooling1" top: "LRN1" lrn_param { local_size: 5 alpha: 1e-4 beta: 0.75 } }
layer { name: "Convolution2" type: "Convolution" bottom: "LRN1" top: "Convolution2"
  convolution_param { num_output: 256 kernel_size: 5 pad: 2 group: 2 } }
layer { name: "ReLU2" type: "ReLU" bottom: "Convolution2" top: "Convolution2" }
layer { name: "Dropout1" type: "Dropout" bottom: "Convolution2" top: "Convolution2" }
layer { name: "InnerProduct1" type: "InnerProduct" bottom: "Convolution2" top: "InnerProduct1"
  inner_product_param { num_output: 1000 } }
layer { name: "SoftmaxWithLoss1" type: "SoftmaxWithLoss" bottom: "InnerProduct1" bottom: "Data2"
  top: "SoftmaxWithLoss1" }
"""
ACCURACY = 'layer { name: "Accuracy1" type: "Accuracy" bottom: "InnerProduct1" bottom: "Data2" top: "Accuracy1" }'


def test_tops_without_names():
    assert alexnet_front("lmdb", include_accuracy=False) == net(FRONT)
    assert alexnet_front("lmdb", include_accuracy=True) == net(FRONT + ACCURACY)


def ssd_head():
    """Names by items, settings gathered in dicts, and layers of SSD's: a head in the shape of its programs."""
    n = NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 3, 32, 32]))
    kwargs = {"param": [dict(lr_mult=1, decay_mult=1), dict(lr_mult=2, decay_mult=0)]}
    n["conv4_3"] = L.Convolution(n["data"], num_output=8, pad=1, kernel_size=3, **kwargs)
    assert "conv4_3" in n.keys()  # noqa: SIM118
    n["conv4_3_norm"] = L.Normalize(
        n["conv4_3"], scale_filler=dict(type="constant", value=20), across_spatial=False, channel_shared=False
    )
    n["conv4_3_loc"] = L.Convolution(n["conv4_3_norm"], num_output=16, kernel_size=3, pad=1)
    n["conv4_3_perm"] = L.Permute(n["conv4_3_loc"], order=[0, 2, 3, 1])
    n["conv4_3_flat"] = L.Flatten(n["conv4_3_perm"], axis=1)
    prior = {"clip": False, "variance": [0.1, 0.1, 0.2, 0.2], "min_size": 30.0, "aspect_ratio": (2,), "offset": 0.5}
    n["conv4_3_prior"] = L.PriorBox(n["conv4_3_norm"], n["data"], **prior)
    settings = {
        "num_classes": 21,
        "nms_param": {"nms_threshold": 0.45, "top_k": 400},
        "code_type": P.PriorBox.CENTER_SIZE,
    }
    n.out = L.DetectionOutput(
        n["conv4_3_flat"], n["conv4_3_prior"], detection_output_param=settings, include={"phase": 1}
    )
    n.rois = L.ROIPooling(n["conv4_3"], n.out, pooled_w=6, pooled_h=6, spatial_scale=0.0625)
    n.update("conv4_3", {"param": [dict(lr_mult=0), dict(lr_mult=0)]})
    return n.to_proto()


SSD = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 32 dim: 32 } } }
layer { name: "conv4_3" type: "Convolution" bottom: "data" top: "conv4_3" param { lr_mult: 0 } param { lr_mult: 0 }
  convolution_param { num_output: 8 pad: 1 kernel_size: 3 } }
layer { name: "conv4_3_norm" type: "Normalize" bottom: "conv4_3" top: "conv4_3_norm"
  norm_param { across_spatial: false channel_shared: false scale_filler { type: "constant" value: 20 } } }
layer { name: "conv4_3_loc" type: "Convolution" bottom: "conv4_3_norm" top: "conv4_3_loc"
  convolution_param { num_output: 16 pad: 1 kernel_size: 3 } }
layer { name: "conv4_3_perm" type: "Permute" bottom: "conv4_3_loc" top: "conv4_3_perm"
  permute_param { order: 0 order: 2 order: 3 order: 1 } }
layer { name: "conv4_3_flat" type: "Flatten" bottom: "conv4_3_perm" top: "conv4_3_flat" flatten_param { axis: 1 } }
layer { name: "conv4_3_prior" type: "PriorBox" bottom: "conv4_3_norm" bottom: "data" top: "conv4_3_prior"
  prior_box_param { min_size: 30 aspect_ratio: 2 clip: false offset: 0.5
    variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2 } }
layer { name: "out" type: "DetectionOutput" bottom: "conv4_3_flat" bottom: "conv4_3_prior" top: "out"
  include { phase: TEST }
  detection_output_param { num_classes: 21 nms_param { nms_threshold: 0.45 top_k: 400 } code_type: CENTER_SIZE } }
layer { name: "rois" type: "ROIPooling" bottom: "conv4_3" bottom: "out" top: "rois"
  roi_pooling_param { pooled_h: 6 pooled_w: 6 spatial_scale: 0.0625 } }
"""


def test_layers_of_a_fork():
    assert ssd_head() == net(SSD)


def test_a_net_is_written_read_and_built(tmp_path):
    n = NetSpec()
    n.data, n.label = L.DummyData(shape=[dict(dim=[4, 1, 12, 12]), dict(dim=4)], ntop=2)
    n.conv, n.up = (
        L.Convolution(n.data, kernel_size=3, num_output=2),
        L.Deconvolution(n.data, kernel_size=3, num_output=2),
    )
    n.sum = L.Eltwise(L.Pooling(n.conv, global_pooling=True), L.Pooling(n.up, global_pooling=True))
    n.loss = L.SoftmaxWithLoss(n.sum, n.label, loss_param=dict(normalization=P.Loss.BATCH_SIZE))
    n.silence = L.Silence(n.up, ntop=0)
    assert net(str(n.to_proto())) == n.to_proto()
    found = built(n.to_proto())
    assert found.blobs["up"].shape == (4, 2, 14, 14)
    assert found.blobs["Pooling2"].shape == (4, 2, 1, 1)
    found.close()


# -- names, tops, and the order of layers


def test_a_layer_without_tops():
    n = NetSpec()
    n.a, n.b = L.DummyData(shape=dict(dim=3), ntop=2)
    n.quiet = L.Silence(n.a, ntop=0)
    assert isinstance(n.quiet, Function)
    unnamed = to_proto(L.Silence(n.b, ntop=0))
    assert [(layer.name, list(layer.bottom), list(layer.top)) for layer in n.to_proto().layer] == [
        ("a", [], ["a", "b"]),
        ("quiet", ["a"], []),
    ]
    assert [each.name for each in unnamed.layer] == ["DummyData1", "Silence1"]


def test_a_layer_is_named_after_its_first_top_and_its_last_name():
    n = NetSpec()
    a, n.second = L.Slice(L.Input(shape=dict(dim=[1, 2])), ntop=2)
    n.relu = L.ReLU(a)
    n.alias = n.relu
    names = [(layer.name, list(layer.top)) for layer in n.to_proto().layer]
    assert names == [("Input1", ["Input1"]), ("Slice1", ["Slice1", "second"]), ("alias", ["alias"])]


def test_a_made_name_is_not_one_that_is_taken():
    n = NetSpec()
    below = L.ReLU(L.Input(shape=dict(dim=1)))
    n.ReLU1 = L.ReLU(below)
    assert [layer.name for layer in n.to_proto().layer] == ["Input1", "ReLU2", "ReLU1"]


def test_layers_in_place_give_the_blob_on():
    x = L.Input(shape=dict(dim=[2, 3]))
    top = L.Power(L.Dropout(L.ReLU(x, in_place=True), in_place=True), power=2)
    assert [list(layer.top) for layer in to_proto(top).layer] == [["Input1"], ["Input1"], ["Input1"], ["Power1"]]
    assert list(layer(top).bottom) == ["Input1"]


def test_a_layer_comes_after_those_it_reads_and_stands_once():
    x = L.Input(shape=dict(dim=1))
    a, b = L.ReLU(x), L.TanH(x)
    top = L.Eltwise(L.Sigmoid(b), a, b)
    assert [each.type for each in top.to_proto().layer] == ["Input", "TanH", "Sigmoid", "ReLU", "Eltwise"]


def test_a_net_of_any_depth():
    top = L.Input(shape=dict(dim=1))
    for _ in range(3000):
        top = L.ReLU(top)
    assert to_proto(top).layer[-1].name == "ReLU3000"


def test_a_layer_that_reads_itself():
    top = L.ReLU(L.Input(shape=dict(dim=1)))
    top.fn.inputs[0].fn.inputs = (top,)
    with pytest.raises(ValueError, match="reads what is made from its own top"):
        to_proto(top)


def test_what_makes_a_top():
    data, label = L.Data(source="x", ntop=2)
    assert (data.n, label.n, data.fn) == (0, 1, label.fn)
    assert data.fn.tops == (data, label)
    assert (data.fn.type_name, data.fn.inputs, data.fn.params, data.fn.ntop) == ("Data", (), {"source": "x"}, 2)
    assert isinstance(L.ReLU(data), Top)
    assert L.ReLU(data, in_place=True).fn.in_place is True


# -- NetSpec


def test_tops_are_attributes_and_items():
    n = NetSpec()
    n["inception/1x1"] = L.Input(shape=dict(dim=1))
    setattr(n, "relu", L.ReLU(n["inception/1x1"]))  # noqa: B010
    assert n["relu"] is n.relu
    assert list(n.tops) == n.keys() == ["inception/1x1", "relu"]
    assert n.vals() == list(n.tops.values())
    assert "relu" in dir(n)
    del n["relu"]
    assert list(n.tops) == ["inception/1x1"]
    assert not hasattr(n, "relu")
    assert n.to_proto().layer[0].name == "inception/1x1"


def test_tops_may_have_the_names_of_ssds_methods():
    n = NetSpec()
    n.keys = L.Input(shape=dict(dim=1))
    n.update = L.ReLU(n.keys)
    assert isinstance(n.update, Top)
    assert [each.name for each in n.to_proto().layer] == ["keys", "update"]


@pytest.mark.parametrize("kind", [KeyError, AttributeError])
def test_a_top_that_is_not_there(kind):
    n = NetSpec()
    n.conv1 = L.Input(shape=dict(dim=1))
    for look in (lambda: n.conv, lambda: n["conv"], lambda: delattr(n, "conv")):
        with pytest.raises(kind) as caught:
            look()
        assert str(caught.value) == "the net has no top 'conv'; did you mean 'conv1'?"


def test_a_net_can_be_copied():
    n = NetSpec()
    n.data = L.Input(shape=dict(dim=1))
    n.relu = L.ReLU(n.data)
    twin = copy.deepcopy(n)
    twin.relu.fn.params["negative_slope"] = 0.5
    assert twin.to_proto() != n.to_proto()
    assert twin.to_proto().layer[0] == n.to_proto().layer[0]


# -- settings


def test_a_setting_goes_to_the_types_own_message_before_the_layers():
    x = L.Input(shape=dict(dim=1))
    made = layer(L.Convolution(x, engine=P.Convolution.CAFFE, name="other", loss_weight=2, propagate_down=[False]))
    assert made.convolution_param.engine == 1
    assert not made.HasField("engine")
    assert (made.name, list(made.loss_weight), list(made.propagate_down)) == ("other", [2], [False])
    python = layer(L.Python(x, module="m", layer="l", param_str="{}"))
    assert (python.python_param.module, python.python_param.layer, python.python_param.param_str) == ("m", "l", "{}")


def test_a_bottom_may_be_given_by_name():
    assert list(layer(L.ReLU(bottom="blob_of_another_net")).bottom) == ["blob_of_another_net"]


@pytest.mark.parametrize(
    ("type_name", "setting", "field"),
    [
        ("Deconvolution", {"num_output": 3}, "convolution_param"),
        ("Im2col", {"kernel_size": [3]}, "convolution_param"),
        ("SoftmaxWithLoss", {"axis": 2}, "softmax_param"),
        ("LSTM", {"num_output": 3}, "recurrent_param"),
        ("BN", {"frozen": True}, "bn_param"),
    ],
)
def test_the_message_a_type_reads(type_name, setting, field):
    made = layer(getattr(L, type_name)(L.Input(shape=dict(dim=1)), **setting))
    ((name, value),) = setting.items()
    assert getattr(getattr(made, field), name) == value


def test_a_type_that_netcli_does_not_know_is_written_all_the_same():
    made = layer(L.MyOwn(L.Input(shape=dict(dim=1)), loss_weight=1))
    assert (made.type, list(made.loss_weight)) == ("MyOwn", [1])


def filled(**values):
    message = schema.LayerParameter()
    for name, value in values.items():
        assign_proto(message, name, value)
    return message


@pytest.mark.parametrize(
    "values",
    [
        {
            "convolution_param": {
                "num_output": np.int64(3),
                "bias_term": np.bool_(False),
                "kernel_size": np.array([3, 5]),
            }
        },
        {"convolution_param": {"num_output": np.array(3), "bias_term": 0, "kernel_size": (3, np.uint8(5))}},
        {"convolution_param": OrderedDict(num_output=3.0, bias_term=False, kernel_size=range(3, 6, 2))},
        {"convolution_param": schema.ConvolutionParameter(num_output=3, bias_term=False, kernel_size=[3, 5])},
    ],
)
def test_values_of_programs(values):
    text = "layer { convolution_param { num_output: 3 bias_term: false kernel_size: 3 kernel_size: 5 } }"
    assert filled(**values) == net(text).layer[0]


def test_numbers_strings_and_enums():
    assert filled(dropout_param={"dropout_ratio": np.float32(0.5)}).dropout_param.dropout_ratio == 0.5
    assert filled(dropout_param={"dropout_ratio": 1}).dropout_param.dropout_ratio == 1
    assert filled(loss_weight=np.float64(2)).loss_weight == [2]
    for name in ("ip", b"ip", np.str_("ip"), Path("ip")):
        assert filled(name=name, bottom=[name]).bottom == ["ip"]
    for method in ("AVE", 1, np.int32(1), P.Pooling.AVE):
        assert filled(pooling_param={"pool": method}).pooling_param.pool == 1
    datum = schema.Datum()
    assign_proto(datum, "data", b"\x00\xff")
    assert datum.data == b"\x00\xff"


def test_messages_that_are_repeated():
    two = schema.LayerParameter(param=[{"lr_mult": 1}, {"lr_mult": 2, "name": "w"}])
    for param in ([{"lr_mult": 1}, {"lr_mult": 2, "name": "w"}], tuple(two.param), two.param):
        assert filled(param=param) == two
    assert filled(param={"lr_mult": 3}).param[0].lr_mult == 3
    assert len(filled(include=[{}, schema.NetStateRule(phase=1)]).include) == 2
    assert filled(param=[], convolution_param={}) == schema.LayerParameter()
    message = filled(bottom="a")
    assign_proto(message, "bottom", ["b", "c"])
    assert message.bottom == ["a", "b", "c"]


# -- mistakes


@pytest.mark.parametrize(
    ("type_name", "settings", "kind", "fault"),
    [
        (
            "Convolution",
            {"num_outputs": 3},
            AttributeError,
            "ConvolutionParameter has no field 'num_outputs'; did you mean 'num_output'?",
        ),
        (
            "Convolution",
            {"std": 0.1},
            AttributeError,
            "ConvolutionParameter has no field 'std'; it belongs in weight_filler, bias_filler",
        ),
        ("Convolution", {"lr_mult": 1}, AttributeError, "LayerParameter has no field 'lr_mult'; it belongs in param"),
        (
            "Convolution",
            {"weight_filler": {"tpye": "xavier"}},
            AttributeError,
            "FillerParameter has no field 'tpye'; did you mean 'type'?",
        ),
        (
            "SoftmaxWithLoss",
            {"ignore_label": 255},
            AttributeError,
            (
                "LayerParameter has no field 'ignore_label'; "
                "it belongs in loss_param, accuracy_param, image_data_param ..."
            ),
        ),
        (
            "ReLU",
            {"blobs_lr": 1},
            AttributeError,
            "LayerParameter has no field 'blobs_lr'; that is the old form of param { lr_mult }",
        ),
        (
            "Convolutoin",
            {"num_output": 1},
            AttributeError,
            "there is no layer type 'Convolutoin'; did you mean 'Convolution'?",
        ),
        ("ReLU", {"qwertz": 1}, AttributeError, "ReLUParameter has no field 'qwertz'"),
        ("Convolution", {"num_output": "20"}, TypeError, "num_output takes a whole number, got '20'"),
        ("Convolution", {"num_output": 2.5}, TypeError, "num_output takes a whole number, got 2.5"),
        ("Convolution", {"num_output": None}, TypeError, "num_output takes a whole number, got None"),
        ("Convolution", {"num_output": [3, 4]}, TypeError, "num_output takes a whole number, got [3, 4]"),
        ("Convolution", {"num_output": -1}, ValueError, "num_output takes a whole number of 0 .. 4294967295, got -1"),
        ("Convolution", {"kernel_size": [[3, 3]]}, TypeError, "kernel_size takes a whole number, got [3, 3]"),
        ("Convolution", {"bias_term": "false"}, TypeError, "bias_term takes True or False, got 'false'"),
        (
            "Convolution",
            {"weight_filler": "xavier"},
            TypeError,
            "weight_filler takes a dict of fields of FillerParameter, got 'xavier'",
        ),
        ("Convolution", {"param": [1, 2]}, TypeError, "param takes a dict of fields of ParamSpec, got 1"),
        ("Dropout", {"dropout_ratio": "0.5"}, TypeError, "dropout_ratio takes a number, got '0.5'"),
        ("Dropout", {"name": 3}, TypeError, "name takes a string, got 3"),
        ("Dropout", {"name": b"\xff"}, ValueError, r"name takes a string, got bytes that are not UTF-8: b'\xff'"),
        ("Pooling", {"pool": "AVG"}, ValueError, "pool has no value AVG; did you mean 'AVE'?"),
        ("Data", {"backend": 9}, ValueError, "backend has no value 9; it is one of LEVELDB, LMDB, DATUMFILE"),
    ],
)
def test_a_wrong_setting_is_told_with_its_layer(type_name, settings, kind, fault):
    n = NetSpec()
    n.data = L.Input(shape=dict(dim=1))
    n.layer1 = getattr(L, type_name)(n.data, **settings)
    with pytest.raises(kind) as caught:
        n.to_proto()
    told = settings.get("name") if isinstance(settings.get("name"), str) else "layer1"
    assert str(caught.value) == f"layer '{told}' ({type_name}): {fault}"


def test_a_message_of_another_kind():
    with pytest.raises(TypeError, match="convolution_param takes a dict of fields of ConvolutionParameter, got "):
        filled(convolution_param=schema.PoolingParameter())


def test_a_bottom_that_is_no_top():
    pair = L.DummyData(shape=dict(dim=1), ntop=2)
    with pytest.raises(TypeError, match=r"^ReLU input 0 is not a Top \(type is <class 'tuple'>\)$"):
        L.ReLU(pair)
    with pytest.raises(TypeError, match=r"^Eltwise input 1 is not a Top \(type is <class 'int'>\)$"):
        L.Eltwise(pair[0], 3)
    with pytest.raises(TypeError, match=r"^to_proto input 0 is not a Top"):
        to_proto(pair)
    n = NetSpec()
    n.data = pair
    with pytest.raises(TypeError, match=r"^'data' of the net is not a Top \(type is <class 'tuple'>\)$"):
        n.to_proto()


# -- the pseudo-modules


def test_values_of_enums():
    assert (P.Pooling.AVE, P.Eltwise.PROD, P.Data.LMDB, P.Loss.VALID, P.MultiBoxLoss.SOFTMAX) == (1, 0, 1, 1, 0)
    assert "Pooling" in dir(P)
    assert {"LEVELDB", "LMDB"} < set(dir(P.Data))
    with pytest.raises(AttributeError, match=r"^PoolingParameter has no value MAXX; did you mean 'MAX'\?$"):
        _ = P.Pooling.MAXX
    with pytest.raises(AttributeError, match=r"^there is no message PolingParameter; did you mean 'Pooling'\?$"):
        _ = P.Poling


def test_types_of_layers():
    assert {"Convolution", "LSTM", "ROIPooling"} < set(dir(L))
    assert not hasattr(L, "__wrapped__")


def test_names_of_messages():
    names = net_spec.param_name_dict()
    assert (names["Convolution"], names["HDF5Data"], names["Transformation"]) == (
        "convolution",
        "hdf5_data",
        "transform",
    )
    assert [uncamel(name) for name in ("InnerProduct", "ReLU", "LRN", "SoftmaxWithLoss")] == [
        *("inner_product", "relu", "lrn", "softmax_with_loss"),
    ]
