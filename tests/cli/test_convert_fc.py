import numpy as np
import pytest

from netcli.arrays.ops import Ops
from netcli.layers.base import TEST
from netcli.net import Net
from netcli.prototxt import read_net
from netcli.snapshots import read_weights

NET = """# a small net
name: "small"
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 1 dim: 3 dim: 12 dim: 14 }} }} }}
layer {{
  name: "conv" type: "Convolution" bottom: "data" top: "conv"  # three by three
  convolution_param {{ num_output: 4 kernel_size: 3 weight_filler {{ type: "xavier" }} }}
}}
layer {{ name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param {{ kernel_size: 2 stride: 2 }} }}
{between}
layer {{
  name: "fc1"  # the first
  type: "InnerProduct"
  bottom: "{bottom}"
  top: "fc1"
  inner_product_param {{
    num_output: 6  # few
    axis: 1
    weight_filler {{ type: "xavier" }}
    bias_filler {{ type: "uniform" }}
  }}
}}
layer {{ name: "relu" type: "ReLU" bottom: "fc1" top: "fc1" }}
layer {{ name: "drop" type: "Dropout" bottom: "fc1" top: "fc1" }}
{behind}
layer {{
  name: "fc2" type: "InnerProduct" bottom: "{second}" top: "fc2"
  inner_product_param {{ num_output: 5 transpose: true bias_term: false weight_filler {{ type: "xavier" }} }}
}}
layer {{ name: "prob" type: "Softmax" bottom: "fc2" top: "prob" }}
"""
FLAT = 'layer { name: "flat" type: "Flatten" bottom: "pool" top: "flat" }'
RESHAPE = (
    'layer { name: "flat" type: "Reshape" bottom: "pool" top: "flat" reshape_param { shape { dim: 0 dim: -1 } } }\n'
    'layer { name: "again" type: "ReLU" bottom: "flat" top: "again" }'
)
SCALE = (
    'layer { name: "norm" type: "Scale" bottom: "fc1" top: "fc1" scale_param { bias_term: true } }\n'
    'layer { name: "alone" type: "Slice" bottom: "fc1" top: "s" top: "t" }\n'
    'layer { name: "cat" type: "Concat" bottom: "t" bottom: "s" top: "cat" }'
)
ARGMAX = 'layer { name: "best" type: "ArgMax" bottom: "fc1" top: "best" }'


@pytest.fixture
def made(tmp_path, netcli):
    """A function that writes a net with its weights, recasts it, and gives both nets and what was said."""

    def make(between="", bottom="pool", behind="", text=NET):
        paths = [tmp_path / name for name in ("net.prototxt", "w.caffemodel", "new.prototxt", "new.caffemodel")]
        paths[0].write_text(
            text.format(between=between, bottom=bottom, behind=behind, second="cat" if "cat" in behind else "fc1")
        )
        old = Net(read_net(str(paths[0])), TEST, ops=Ops("plain"), seed=2)
        old.save(str(paths[1]))
        status, out, err = netcli("convert-fc", *paths)
        new = None
        if status == 0:
            new = Net(read_net(str(paths[2])), TEST, ops=Ops("plain"))
            new.load(read_weights(str(paths[3])))
        return old, new, status, out, err, paths[2]

    return make


def run(net, x):
    data = net.blobs["data"]
    if data.shape != x.shape:
        data.reshape(x.shape)
        net.reshape()
    data.data[...] = x
    net.forward()
    return net.blobs["prob"].data.copy()


@pytest.mark.parametrize(
    ("between", "bottom", "behind"),
    [("", "pool", ""), (FLAT, "flat", ""), (RESHAPE, "again", ""), ("", "pool", SCALE)],
    ids=["plain", "flatten", "reshape", "channels"],
)
def test_the_recast_net_is_the_old_one_as_a_sliding_window(made, between, bottom, behind):
    old, new, status, out, _, path = made(between, bottom, behind)
    assert status == 0
    assert out.splitlines()[:2] == ["fc1: 6 filters of 4x5x6", "fc2: 5 filters of 6x1x1"]
    assert (": left out" in out) == ("flat" in between)
    x = np.random.default_rng(0).standard_normal((2, 3, 18, 18)).astype(np.float32)
    got = run(new, x)
    assert got.shape == (2, 5, 4, 3)
    for i in range(4):  # the pooling makes steps of two
        for j in range(3):
            want = run(old, x[:, :, 2 * i : 2 * i + 12, 2 * j : 2 * j + 14])
            np.testing.assert_allclose(got[:, :, i, j], want, atol=1e-6)
    same = run(new, x[:, :, :12, :14])
    np.testing.assert_allclose(same[:, :, 0, 0], run(old, x[:, :, :12, :14]), atol=1e-6)
    assert "flat" not in path.read_text()


def test_the_text_keeps_its_comments(made):
    *_, path = made()
    want = NET.format(between="", bottom="pool", behind="", second="fc1")
    first, rest = want.split("  inner_product_param {\n    num_output: 6", 1)
    first = (
        first.replace("InnerProduct", "Convolution")
        + "  convolution_param {\n    num_output: 6\n    kernel_h: 5\n    kernel_w: 6"
    )
    rest = rest.replace("    axis: 1\n", "").replace("InnerProduct", "Convolution")
    rest = rest.replace(
        "inner_product_param { num_output: 5 transpose: true", "convolution_param { num_output: 5 kernel_size: 1 "
    )
    assert path.read_text() == first + rest


def test_inputs_beside_the_layers_keep_them_too(made):
    line = next(line for line in NET.splitlines() if '"Input"' in line)
    old, new, status, _, err, path = made(
        text=NET.replace(line, 'input: "data"  # the images\ninput_dim: [1, 3, 12, 14]')
    )
    assert (status, err.count("comments are not kept")) == (0, 0)
    assert "# the images" in path.read_text()
    x = np.ones((1, 3, 12, 14), np.float32)
    np.testing.assert_allclose(run(new, x)[:, :, 0, 0], run(old, x), atol=1e-6)


def test_a_net_of_an_old_form_is_written_anew(made):
    text = NET.replace("layer {{", "layers {{")
    for new, old in [("Convolution", "CONVOLUTION"), ("Pooling", "POOLING"), ("InnerProduct", "INNER_PRODUCT")]:
        text = text.replace(f'"{new}"', old)
    for new, old in [("ReLU", "RELU"), ("Dropout", "DROPOUT"), ("Softmax", "SOFTMAX")]:
        text = text.replace(f'"{new}"', old)
    line = next(line for line in text.splitlines() if '"Input"' in line)
    text = text.replace(line, 'input: "data"\ninput_dim: [1, 3, 12, 14]').replace(" transpose: true", "")
    *_, status, _, err, path = made(text=text)
    assert (status, "its comments are not kept" in err) == (0, True)
    assert "kernel_h: 5" in path.read_text()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"behind": ARGMAX},
            "layer 'best' (ArgMax): takes its bottom as (1, 6); behind a convolution that is (1, 6, 1, 1)",
        ),
        (
            {"between": FLAT + '\nlayer { name: "p" type: "Softmax" bottom: "flat" top: "p" }', "bottom": "flat"},
            "layer 'p' (Softmax): takes its bottom as (1, 120); behind a convolution that is (1, 4, 5, 6)",
        ),
        (
            {"text": NET.replace("axis: 1", "axis: 2")},
            "net.prototxt:17: layer 'fc1' (InnerProduct): axis 2: a convolution takes channels, height and width",
        ),
        (
            {"text": NET[: NET.index('layer {{\n  name: "fc1"')].replace("{between}", "")},
            "net.prototxt: the net has no inner product to recast",
        ),
    ],
)
def test_what_can_not_be_told_by_places_is_named(made, parts, message):
    *_, status, out, err, path = made(**parts)
    assert (status, out) == (2, "")
    assert message in err
    assert not path.exists()


def test_inputs_are_not_written_over(tmp_path, netcli):
    (tmp_path / "n").write_text("")
    (tmp_path / "w").write_text("")
    status, _, err = netcli("convert-fc", tmp_path / "n", tmp_path / "w", tmp_path / "n", tmp_path / "new")
    assert (status, err) == (2, f"netcli: {tmp_path / 'n'}: is to be read, and can't be written too\n")
    status, _, err = netcli("convert-fc", tmp_path / "n", tmp_path / "w", tmp_path / "new", tmp_path / "new")
    assert (status, err) == (2, f"netcli: {tmp_path / 'new'}: can't hold both the net and its weights\n")


def test_a_net_with_data_that_are_not_here_by_the_shape_of_its_images(tmp_path, netcli, made):
    made()
    line = next(line for line in NET.splitlines() if '"Input"' in line)
    data = 'layer { name: "data" type: "Data" top: "data" data_param { source: "none" batch_size: 1 } }'
    text = NET.replace(line, "DATA").format(between="", bottom="pool", behind="", second="fc1").replace("DATA", data)
    net, written = tmp_path / "train.prototxt", tmp_path / "recast.prototxt"
    net.write_text(text)
    words = ["convert-fc", net, tmp_path / "w.caffemodel", written, tmp_path / "recast.caffemodel"]
    assert netcli(*words)[0] == 2
    assert netcli(*words, "--input", "data=1x3x12x14")[0] == 0
    assert written.read_text() == (tmp_path / "new.prototxt").read_text().replace(
        line.replace("{{", "{").replace("}}", "}"), data
    )
