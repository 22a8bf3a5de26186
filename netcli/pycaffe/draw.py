"""A net as a graph: layers as boxes, blobs as octagons, drawn by Graphviz.

pydot, an extra of netcli's, is imported here alone, and not before a graph is made; Graphviz's program `dot` is run for
pictures, and not for the graph's own text (dot, gv, raw).

Beyond pycaffe's: every blob has the blobs' style; a layer's window is shown in full where its sides differ; names may
hold any character; a net in the V1 form is upgraded; and of layers' rules the phase alone counts, where they have one.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from typing import Any

from netcli.errors import NetcliError, Place
from netcli.prototxt import Document, Lines, schema, upgrade_net
from netcli.snapshots.atomic import atomic_stream

LAYER_STYLE_DEFAULT = {"shape": "box", "style": "filled", "fillcolor": "#6495ED"}
NEURON_LAYER_STYLE = {"shape": "box", "style": "filled", "fillcolor": "#90EE90"}  # in place
BLOB_STYLE = {"shape": "octagon", "style": "filled", "fillcolor": "#E0E0E0"}

COLORS = {"Convolution": "#FF5050", "Deconvolution": "#FF5050", "Pooling": "#FF9900", "InnerProduct": "#CC33FF"}
FILTERS = ("Convolution", "Deconvolution")
LEARNING = (*FILTERS, "InnerProduct")  # whose learning rates are shown

TEXT_FORMATS = ("dot", "gv", "raw")
IMAGE_FORMATS = ("eps", "gif", "jpeg", "jpg", "pdf", "png", "ps", "svg", "svgz", "webp")


def get_pooling_types_dict() -> dict[int, str]:
    """The name of each pooling method by its number."""
    return {number: name for name, number in schema.PoolingParameter.PoolMethod.items()}


def get_edge_label(layer: Any) -> str:
    """What is written beside the arrow from a layer (LayerParameter) to its tops: outputs, or images in a batch.

    Two quotes, which are an empty text in Graphviz's language, where there is nothing to say.
    """
    if layer.type == "Data":
        return f"Batch {layer.data_param.batch_size}"
    if layer.type in FILTERS:
        return str(layer.convolution_param.num_output)
    if layer.type == "InnerProduct":
        return str(layer.inner_product_param.num_output)
    return '""'


def get_layer_lr_mult(layer: Any) -> tuple[float, float]:
    """The learning rate multipliers of weights and biases; raises ValueError for a layer that doesn't show them."""
    if layer.type not in LEARNING:
        raise ValueError(f"layer '{layer.name}' ({layer.type}) has no weights and biases; {', '.join(LEARNING)} have")
    if len(layer.param) > 2:
        raise ValueError(f"layer '{layer.name}' ({layer.type}) has {len(layer.param)} param, for weights and biases")
    weights, biases = [*(param.lr_mult for param in layer.param), 1.0, 1.0][:2]
    return weights, biases


def get_layer_label(layer: Any, rankdir: str, display_lrm: bool = False) -> str:
    r"""What stands in a layer's box, between double quotes: name, type, window and, if asked for, learning rates.

    Its parts are in lines of their own (\n), or in one line where the graph runs upward or downward (rankdir TB, BT)
    and height is dear.
    """
    parts = [_escaped(layer.name)]
    if layer.type == "Pooling":
        parts.append(f"({layer.type} {get_pooling_types_dict()[layer.pooling_param.pool]})")
    else:
        parts.append(f"({_escaped(layer.type)})")
    if layer.type == "Pooling" and layer.pooling_param.global_pooling:
        parts.append("global")
    elif layer.type == "Pooling" or layer.type in FILTERS:
        window = layer.pooling_param if layer.type == "Pooling" else layer.convolution_param
        parts.append(f"kernel size: {_sizes(window, 'kernel', 'kernel_size')}")
        parts.append(f"stride: {_sizes(window, 'stride')}")
        parts.append(f"pad: {_sizes(window, 'pad')}")
    if display_lrm and layer.type in LEARNING:
        weights, biases = get_layer_lr_mult(layer)
        if weights or biases:
            parts.append(f"lr mult: {weights:.1f}, {biases:.1f}")
    separator = " " if rankdir in ("TB", "BT") else r"\n"
    return f'"{separator.join(parts)}"'


def _sizes(window: Any, stem: str, name: str | None = None) -> str:
    """3 of a window whose sides are 3 each, else 3x5."""
    value = getattr(window, name or stem)
    sides = [value] if isinstance(value, int) else list(value) or [0 if stem == "pad" else 1]
    if window.HasField(f"{stem}_h") or window.HasField(f"{stem}_w"):
        sides = [getattr(window, f"{stem}_h"), getattr(window, f"{stem}_w")]
    return str(sides[0]) if len(set(sides)) == 1 else "x".join(map(str, sides))


def _escaped(text: str) -> str:
    r"""The text as it stands between double quotes in Graphviz's language, where \n and \l are line ends."""
    return text.replace("\\", r"\\").replace('"', r"\"")


def choose_color_by_layertype(layertype: str) -> str:
    """The colour of a layer's box, as #RRGGBB."""
    return COLORS.get(layertype, LAYER_STYLE_DEFAULT["fillcolor"])


def get_pydot_graph(
    caffe_net: Any, rankdir: str, label_edges: bool = True, phase: int | None = None, display_lrm: bool = False
) -> Any:
    """The net (NetParameter) as a pydot.Dot.

    rankdir      where the graph runs to: LR, TB, BT or RL
    label_edges  whether the arrows to tops are labelled
    phase        TRAIN or TEST: with the layers of this phase; None: with all
    display_lrm  whether learning rate multipliers are shown

    Raises NetcliError without pydot, and ValueError for a layer with both include and exclude, if a phase is asked for.
    """
    pydot = _pydot()
    net = upgrade_net(Document(caffe_net, Lines()), tell=False).message if caffe_net.layers else caffe_net
    graph = pydot.Dot(f'"{_escaped(net.name or "Net")}"', graph_type="digraph", rankdir=rankdir)
    nodes: dict[str, Any] = {}
    edges = []
    for layer in net.layer:
        if phase is not None and not _is_in_phase(layer, phase):
            continue
        name = _node_name("layer", f"{layer.name} {layer.type}")
        nodes[name] = pydot.Node(name, label=get_layer_label(layer, rankdir, display_lrm), **_style(layer))
        for blob in (*layer.bottom, *layer.top):
            blob_name = _node_name("blob", blob)
            nodes[blob_name] = pydot.Node(blob_name, label=f'"{_escaped(blob)}"', **BLOB_STYLE)
        edges += [pydot.Edge(_node_name("blob", bottom), name, label='""') for bottom in layer.bottom]
        label = _quoted(get_edge_label(layer)) if label_edges else '""'
        edges += [pydot.Edge(name, _node_name("blob", top), label=label) for top in layer.top]
    _add(graph, nodes.values(), edges)
    return graph


def _pydot() -> Any:
    try:
        import pydot
    except ImportError:
        raise NetcliError("drawing a net needs pydot: pip install netcli[draw]") from None
    return pydot


def _add(graph: Any, nodes: Iterable[Any], edges: Iterable[Any]) -> None:
    for node in nodes:
        graph.add_node(node)
    for edge in edges:
        graph.add_edge(edge)


def _node_name(kind: str, name: str) -> str:
    return f'"{kind} {_escaped(name)}"'


def _quoted(label: str) -> str:
    return label if label.startswith('"') else f'"{label}"'


def _style(layer: Any) -> dict[str, str]:
    if len(layer.bottom) == 1 and list(layer.bottom) == list(layer.top):
        return NEURON_LAYER_STYLE
    return {**LAYER_STYLE_DEFAULT, "fillcolor": choose_color_by_layertype(layer.type)}


def _is_in_phase(layer: Any, phase: int) -> bool:
    """Whether a layer is drawn in this phase; its rules' levels and stages play no part."""
    if layer.include and layer.exclude:
        raise ValueError(f"layer '{layer.name}' has both include and exclude rules; a layer may have one kind")
    if layer.include:
        return any(not rule.HasField("phase") or rule.phase == phase for rule in layer.include)
    return not any(rule.HasField("phase") and rule.phase == phase for rule in layer.exclude)


def draw_net(
    caffe_net: Any, rankdir: str, ext: str = "png", phase: int | None = None, display_lrm: bool = False
) -> bytes:
    """The picture of a net as the bytes of a file with the ending `ext`; see `get_pydot_graph`.

    Raises NetcliError where Graphviz is not there, or has no such format.
    """
    text: bytes = get_pydot_graph(caffe_net, rankdir, phase=phase, display_lrm=display_lrm).to_string().encode()
    if ext in TEXT_FORMATS:
        return text
    try:
        done = subprocess.run(["dot", f"-T{ext}"], input=text, capture_output=True, check=False)
    except (FileNotFoundError, PermissionError):
        raise NetcliError(
            f"a picture of the form {ext} needs Graphviz's program dot, of the system's package graphviz "
            f"(apt install graphviz); {', '.join(TEXT_FORMATS)} do not"
        ) from None
    if done.returncode:
        raise NetcliError(f"Graphviz drew nothing: {' '.join(done.stderr.decode(errors='replace').split())}")
    return done.stdout


def draw_net_to_file(
    caffe_net: Any,
    filename: str | os.PathLike[str],
    rankdir: str = "LR",
    phase: int | None = None,
    display_lrm: bool = False,
) -> None:
    """Write the picture of a net to a file, in the format that its ending names: png, svg, pdf, ..., or dot.

    See `draw_net`.  The file is not touched before the picture is there, and never half-written.
    """
    path = os.fspath(filename)
    ext = os.path.splitext(path)[1].removeprefix(".").lower()
    if not ext:
        raise NetcliError("has no ending, such as .png or .dot, that would name a format", place=Place(path))
    picture = draw_net(caffe_net, rankdir, ext, phase, display_lrm)
    with atomic_stream(path) as stream:
        stream.write(picture)
