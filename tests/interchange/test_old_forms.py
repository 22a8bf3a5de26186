"""Caffemodels of Caffe's first two forms, made with the message classes alone, give what today's form gives."""

import json

import numpy as np
import pytest

import netcli.cli.test
from netcli.errors import SnapshotError
from netcli.layers.base import TEST
from netcli.net import Net
from netcli.prototxt import read_net, schema
from netcli.snapshots import read_weights

# In today's form; the convolution pads, which V0 had a layer for.
NET = """
name: "old"
layer { name: "data" type: "DummyData" top: "data" dummy_data_param { shape { dim: 2 dim: 1 dim: 5 dim: 4 }
  data_filler { type: "constant" value: 0.5 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 2 kernel_size: 3 pad: 1 } }
layer { name: "ip" type: "InnerProduct" bottom: "conv1" top: "ip" inner_product_param { num_output: 3 } }
layer { name: "sum" type: "Reduction" bottom: "ip" top: "sum" reduction_param { axis: 0 coeff: 0.25 } }
"""
V0 = """
name: "old" input: "data" input_dim: 2 input_dim: 1 input_dim: 5 input_dim: 4
layers { layer { name: "pad1" type: "padding" pad: 1 } bottom: "data" top: "pad1" }
layers { layer { name: "conv1" type: "conv" num_output: 2 kernelsize: 3 } bottom: "pad1" top: "conv1" }
layers { layer { name: "ip" type: "innerproduct" num_output: 3 } bottom: "conv1" top: "ip" }
"""
SHAPES = {"conv1": [(2, 1, 3, 3), (1, 1, 1, 2)], "ip": [(1, 1, 3, 40), (1, 1, 1, 3)]}  # as files of 2014 have them
VALUES = {
    name: [np.random.default_rng(seed).standard_normal(shape).astype(np.float32) for seed, shape in enumerate(shapes)]
    for name, shapes in SHAPES.items()
}


def four(array, field="data"):
    """A BlobProto of four numbers and not a shape, its values float or double."""
    sizes = dict(zip(("num", "channels", "height", "width"), array.shape, strict=True))
    return schema.BlobProto(**sizes, **{field: array.ravel()})


def v0(field="data"):
    layers = [{"layer": {"name": "data", "type": "data", "source": "db", "batchsize": 2}}]
    layers += [{"layer": {"name": "pad1", "type": "padding", "pad": 1}, "bottom": ["data"], "top": ["pad1"]}]
    for name, kind in (("conv1", "conv"), ("ip", "innerproduct")):
        blobs = [four(array, field) for array in VALUES[name]]
        layers.append({"layer": {"name": name, "type": kind, "blobs": blobs, "blobs_lr": [1, 2]}})
    return schema.NetParameter(name="old", layers=layers)


def v1(field="data"):
    layers = [{"name": "data", "type": "DATA", "top": ["data"]}]
    for name, kind in (("conv1", "CONVOLUTION"), ("ip", "INNER_PRODUCT")):
        blobs = [four(array, field) for array in VALUES[name]]
        layers.append({"name": name, "type": kind, "blobs": blobs, "blobs_lr": [1, 2], "weight_decay": [1, 0]})
    return schema.NetParameter(name="old", layers=layers)


def today():
    reshaped = {"conv1": [(2, 1, 3, 3), (2,)], "ip": [(3, 40), (3,)]}
    layers = [
        {
            "name": name,
            "type": kind,
            "blobs": [
                {"shape": {"dim": shape}, "data": array.ravel()}
                for shape, array in zip(reshaped[name], VALUES[name], strict=True)
            ],
        }
        for name, kind in (("conv1", "Convolution"), ("ip", "InnerProduct"))
    ]
    return schema.NetParameter(name="old", layer=layers)


FORMS = {"v0": v0(), "v0 double": v0("double_data"), "v1": v1(), "v1 double": v1("double_data"), "today": today()}


@pytest.fixture(params=FORMS)
def weights(request, tmp_path):
    path = tmp_path / "old.caffemodel"
    path.write_bytes(FORMS[request.param].SerializeToString())
    return path


def written(folder, text):
    path = folder / "net.prototxt"
    path.write_text(text)
    return path


def test_every_form_gives_the_same_parameters(weights, tmp_path):
    net = Net(read_net(str(written(tmp_path, NET))), TEST)
    assert net.load(read_weights(str(weights))) == []
    for name, arrays in VALUES.items():
        for blob, array in zip(net.params[name], arrays, strict=True):
            np.testing.assert_array_equal(blob.data.ravel(), array.ravel())


def test_a_net_of_v0_takes_the_weights_of_every_form(weights, tmp_path):
    """Its padding layer is gone by then, and so is that of a V0 caffemodel."""
    net = Net(read_net(str(written(tmp_path, V0))), TEST)
    assert net.layer_names == ["input", "conv1", "ip"]
    assert net.load(read_weights(str(weights))) in ([], ["data"])
    np.testing.assert_array_equal(net.params["ip"][1].data, VALUES["ip"][1].ravel())


def test_a_layer_that_has_the_name_of_a_padding_layer_now_is_left_as_it_is(tmp_path):
    path = tmp_path / "old.caffemodel"
    path.write_bytes(v0().SerializeToString())
    assert [layer.name for layer in read_weights(str(path)).layers] == ["data", "conv1", "ip"]
    net = Net(read_net(str(written(tmp_path, NET.replace('name: "ip"', 'name: "pad1"')))), TEST)
    assert net.load(read_weights(str(path))) == ["ip"]


def test_netcli_test_scores_every_form_alike(weights, tmp_path, capsys):
    arguments = [str(written(tmp_path, NET)), "--weights", str(weights), "--iterations", "1", "--json"]
    netcli.cli.test.command.main(arguments, standalone_mode=False)
    out, _ = capsys.readouterr()
    image = np.pad(np.full((5, 4), 0.5), 1)
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
    (w1, b1), (w2, b2) = VALUES["conv1"], VALUES["ip"]
    conv = np.einsum("yxij,oij->oyx", windows, w1[:, 0]) + b1.reshape(2, 1, 1)
    ip = w2.reshape(3, 40) @ conv.ravel() + b2.ravel()
    assert json.loads(out)["outputs"]["sum"] == pytest.approx(0.25 * 2 * ip.sum(), rel=1e-4)


def test_a_blob_of_other_four_numbers_is_told(tmp_path):
    """Leading ones are all that old shapes may differ in."""
    message = v1()
    message.layers[2].blobs[0].CopyFrom(four(VALUES["ip"][0].reshape(1, 3, 40, 1)))
    path = tmp_path / "old.caffemodel"
    path.write_bytes(message.SerializeToString())
    net = Net(read_net(str(written(tmp_path, NET))), TEST)
    with pytest.raises(
        SnapshotError, match=r"layer 'ip' holds \(1, 3, 40, 1\), the net wants \(3, 40\); rename the layer"
    ):
        net.load(read_weights(str(path)))
