import subprocess
import sys

import pydot
import pytest

from netcli.errors import NetcliError
from netcli.prototxt import parse, schema
from netcli.pycaffe import draw
from pycaffe.programs import REFUSING, put_dot, take_dot_away

NET = """
name: "small net"
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN } data_param { batch_size: 64 } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST } data_param { batch_size: 100 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 1 } param { lr_mult: 2 }
  convolution_param { num_output: 20 kernel_size: 5 stride: 2 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: AVE kernel_size: 3 pad: 1 } }
layer { name: "ip" type: "InnerProduct" bottom: "pool" top: "ip" inner_product_param { num_output: 10 } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" exclude { phase: TRAIN } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


@pytest.fixture
def net():
    return parse(NET, schema.NetParameter).message


def layer(text):
    return parse(text, schema.LayerParameter).message


def nodes(graph):
    """Attributes of each node, by its label."""
    return {node.get_label().strip('"'): node.get_attributes() for node in graph.get_nodes()}


def arrows(graph):
    """(from, to, label) of each edge."""
    names = {node.get_name(): node.get_label().strip('"').partition(r"\n")[0] for node in graph.get_nodes()}
    return [
        (names[edge.get_source()], names[edge.get_destination()], edge.get_label().strip('"'))
        for edge in graph.get_edges()
    ]


def read_back(graph):
    (read,) = pydot.graph_from_dot_data(graph.to_string())
    return read


def test_layers_and_blobs(net):
    found = nodes(draw.get_pydot_graph(net, "LR"))
    assert list(found) == [
        *(r"data\n(Data)", "data", "label"),
        *(r"conv\n(Convolution)\nkernel size: 5\nstride: 2\npad: 0", "conv", r"relu\n(ReLU)"),
        *(r"pool\n(Pooling AVE)\nkernel size: 3\nstride: 1\npad: 1", "pool", r"ip\n(InnerProduct)", "ip"),
        *(r"accuracy\n(Accuracy)", "accuracy", r"loss\n(SoftmaxWithLoss)", "loss"),
    ]
    assert {attributes["shape"] for label, attributes in found.items() if "(" in label} == {"box"}
    assert {attributes["shape"] for label, attributes in found.items() if "(" not in label} == {"octagon"}
    colors = [attributes["fillcolor"] for label, attributes in found.items() if "(" in label]
    assert colors == ["#6495ED", "#FF5050", "#90EE90", "#FF9900", "#CC33FF", "#6495ED", "#6495ED"]


def test_arrows_and_their_labels(net):
    assert arrows(draw.get_pydot_graph(net, "LR", phase=0)) == [
        *(("data", "data", "Batch 64"), ("data", "label", "Batch 64")),
        *(("data", "conv", ""), ("conv", "conv", "20"), ("conv", "relu", ""), ("relu", "conv", "")),
        *(("conv", "pool", ""), ("pool", "pool", ""), ("pool", "ip", ""), ("ip", "ip", "10")),
        *(("ip", "loss", ""), ("label", "loss", ""), ("loss", "loss", "")),
    ]
    bare = draw.get_pydot_graph(net, "LR", label_edges=False)
    assert {label for _, _, label in arrows(bare)} == {""}


def test_a_phase(net):
    train, test = (nodes(draw.get_pydot_graph(net, "LR", phase=phase)) for phase in (0, 1))
    assert r"accuracy\n(Accuracy)" not in train
    assert r"accuracy\n(Accuracy)" in test
    assert ("data", "data", "Batch 100") in arrows(draw.get_pydot_graph(net, "LR", phase=1))
    net.layer[0].exclude.add(phase=1)
    assert nodes(draw.get_pydot_graph(net, "LR"))
    with pytest.raises(ValueError, match="layer 'data' has both include and exclude rules"):
        draw.get_pydot_graph(net, "LR", phase=0)


def test_a_rule_without_a_phase_leaves_a_layer_in_both(net):
    net.layer[2].include.add(stage=["a"])
    net.layer[3].exclude.add(stage=["a"])
    for phase in (0, 1):
        found = nodes(draw.get_pydot_graph(net, "LR", phase=phase))
        assert {r"relu\n(ReLU)", "conv"} < found.keys()


def test_learning_rates_are_shown_where_they_are_not_0(net):
    labels = list(nodes(draw.get_pydot_graph(net, "LR", display_lrm=True)))
    assert r"conv\n(Convolution)\nkernel size: 5\nstride: 2\npad: 0\nlr mult: 1.0, 2.0" in labels
    assert r"ip\n(InnerProduct)\nlr mult: 1.0, 1.0" in labels
    frozen = layer('name: "a" type: "InnerProduct" param { lr_mult: 0 } param { lr_mult: 0 }')
    assert draw.get_layer_label(frozen, "LR", display_lrm=True) == r'"a\n(InnerProduct)"'


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", (1, 1)),
        ("param { lr_mult: 3 }", (3, 1)),
        ("param { lr_mult: 3 } param { lr_mult: 0.5 }", (3, 0.5)),
        ("param { name: 'shared' } param { }", (1, 1)),
    ],
)
def test_learning_rates_of_a_layer(text, wanted):
    assert draw.get_layer_lr_mult(layer(f'name: "a" type: "Deconvolution" {text}')) == wanted


def test_layers_whose_learning_rates_are_not_known():
    with pytest.raises(ValueError, match=r"layer 'a' \(ReLU\) has no weights and biases"):
        draw.get_layer_lr_mult(layer('name: "a" type: "ReLU"'))
    with pytest.raises(ValueError, match="has 3 param, for weights and biases"):
        draw.get_layer_lr_mult(layer('name: "a" type: "Convolution" param { } param { } param { }'))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("convolution_param { kernel_size: 3 }", "kernel size: 3 stride: 1 pad: 0"),
        ("convolution_param { kernel_size: 3 kernel_size: 5 pad: 1 pad: 1 }", "kernel size: 3x5 stride: 1 pad: 1"),
        ("convolution_param { kernel_h: 1 kernel_w: 7 pad_h: 0 pad_w: 3 }", "kernel size: 1x7 stride: 1 pad: 0x3"),
        ("convolution_param { kernel_size: 2 stride_h: 2 stride_w: 2 }", "kernel size: 2 stride: 2 pad: 0"),
    ],
)
def test_windows(text, wanted):
    found = draw.get_layer_label(layer(f'name: "a" type: "Convolution" {text}'), "TB")
    assert found == f'"a (Convolution) {wanted}"'


def test_global_pooling():
    pool = layer('name: "a" type: "Pooling" pooling_param { pool: AVE global_pooling: true }')
    assert draw.get_layer_label(pool, "BT") == '"a (Pooling AVE) global"'


def test_pieces():
    assert draw.get_pooling_types_dict()[0] == "MAX"
    assert draw.get_edge_label(layer('type: "ReLU"')) == '""'
    assert draw.choose_color_by_layertype("Pooling") != draw.choose_color_by_layertype("LRN")
    assert draw.choose_color_by_layertype("LRN") == draw.LAYER_STYLE_DEFAULT["fillcolor"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # in pydot's reader, of its own parser
def test_names_of_any_characters(net):
    strange = 'a:b "c" {d|e} <f> \\n'
    message = schema.NetParameter(name=strange)
    message.layer.add(name=strange, type="ReLU", bottom=["x:0"], top=[strange])
    read = read_back(draw.get_pydot_graph(message, "LR"))
    assert len(read.get_nodes()) == 3
    assert len(read.get_edges()) == 2
    assert {edge.get_source() for edge in read.get_edges()} < {node.get_name() for node in read.get_nodes()}
    assert read_back(draw.get_pydot_graph(schema.NetParameter(), "LR")).get_name().strip('"') == "Net"


def test_a_net_of_the_v1_form_is_upgraded():
    old = parse('layers { name: "r" type: RELU bottom: "a" top: "b" }', schema.NetParameter).message
    assert list(nodes(draw.get_pydot_graph(old, "TB"))) == ["r (ReLU)", "a", "b"]
    assert len(old.layers) == 1


@pytest.mark.parametrize("ext", ["dot", "gv", "raw"])
def test_the_text_needs_no_dot(net, ext, monkeypatch, tmp_path):
    take_dot_away(monkeypatch)
    text = draw.draw_net(net, "TB", ext)
    assert text.startswith(b'digraph "small net" {\nrankdir=TB;')
    draw.draw_net_to_file(net, str(tmp_path / f"net.{ext}"), "TB")
    assert (tmp_path / f"net.{ext}").read_bytes() == text


def test_pictures_are_drawn_by_dot(net, monkeypatch, tmp_path):
    put_dot(tmp_path / "bin", monkeypatch)
    graph = draw.draw_net(net, "LR", "dot")
    assert draw.draw_net(net, "LR") == b"-Tpng\n" + graph
    draw.draw_net_to_file(net, tmp_path / "net.SVG", phase=1)
    assert (tmp_path / "net.SVG").read_bytes() == b"-Tsvg\n" + draw.draw_net(net, "LR", "dot", phase=1)


def test_without_dot(net, monkeypatch, tmp_path):
    take_dot_away(monkeypatch)
    with pytest.raises(NetcliError) as caught:
        draw.draw_net_to_file(net, str(tmp_path / "net.png"))
    assert str(caught.value) == (
        "a picture of the form png needs Graphviz's program dot, of the system's package graphviz "
        "(apt install graphviz); dot, gv, raw do not"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_format_that_dot_does_not_have(net, monkeypatch, tmp_path):
    put_dot(tmp_path / "bin", monkeypatch, REFUSING)
    with pytest.raises(NetcliError, match=r'^Graphviz drew nothing: Format: "xyz" not recognized\.$'):
        draw.draw_net_to_file(net, str(tmp_path / "net.xyz"))
    assert [each.name for each in tmp_path.iterdir()] == ["bin"]


def test_a_file_without_an_ending(net, tmp_path):
    with pytest.raises(NetcliError, match=r"^picture: has no ending, such as \.png or \.dot"):
        draw.draw_net_to_file(net, "picture")


def test_without_pydot(net, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydot", None)
    with pytest.raises(NetcliError, match=r"^drawing a net needs pydot: pip install netcli\[draw\]$"):
        draw.draw_net(net, "LR", "dot")
    assert draw.get_edge_label(net.layer[0]) == "Batch 64"


def test_pydot_is_not_imported_before_it_is_needed():
    code = "import sys, netcli.pycaffe.draw; print('pydot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
