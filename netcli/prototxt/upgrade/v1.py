"""Caffe's second form of layers, `layers { type: CONVOLUTION }`, to today's, `layer { type: "Convolution" }`."""

from __future__ import annotations

from typing import Any

from netcli.errors import PrototxtError
from netcli.prototxt import schema
from netcli.prototxt.lines import Document

# type of a V1 layer -> today's, where that is not its words with a capital each, as InnerProduct of INNER_PRODUCT
IRREGULAR = {
    "NONE": "",
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "BN": "BN",
    "BNLL": "BNLL",
    "DICE_LOSS": "DiceCoefLoss",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "LRN": "LRN",
    "MVN": "MVN",
    "RELU": "ReLU",
    "RELU6": "ReLU6",
    "ROIPOOLING": "ROIPooling",
    "SELU": "SeLu",
    "SELU_DROPOUT": "SeLuDropout",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}
# repeated fields of a V1 layer, one value a parameter -> fields of its ParamSpec
PARAMS = {"param": "name", "blob_share_mode": "share_mode", "blobs_lr": "lr_mult", "weight_decay": "decay_mult"}


def layer_type(v1_type: str) -> str:
    """Today's name of a V1 layer type: "InnerProduct" of "INNER_PRODUCT"."""
    if v1_type in IRREGULAR:
        return IRREGULAR[v1_type]
    return "".join(word.capitalize() for word in v1_type.split("_"))


def needs_v1_upgrade(net: Any) -> bool:
    """Whether the net has `layers`."""
    return len(net.layers) > 0


def upgrade_v1(net: Document) -> None:
    """Make every `layers` a `layer`; raises PrototxtError where there are both."""
    if net.message.layer:
        layers, layer = net.lines.child("layers"), net.lines.child("layer")
        where = f", in line {layer.line}" if layer.line else ""
        raise PrototxtError(
            f"has 'layers', the old form, beside 'layer'{where}; write every layer in one form", place=layers.place()
        )
    for old in net.children("layers"):
        _upgrade_layer(old, net.add("layer", old.lines))
    net.drop("layers")


def _upgrade_layer(old: Document, new: Document) -> None:
    """Fill LayerParameter `new` from V1LayerParameter `old`."""
    if old.message.HasField("type"):
        name = schema.V1LayerParameter.LayerType.Name(old.message.type)
        new.put("type", layer_type(name), old.lines.child("type"))
        old.drop("type")
    for name, spec_name in PARAMS.items():
        _upgrade_params(old, name, new, spec_name)
    for field, _ in old.message.ListFields():
        old.move(field.name, new)


def _upgrade_params(old: Document, name: str, new: Document, spec_name: str) -> None:
    """Spread the values of a repeated field over the layer's `param`, one each."""
    for index, value in enumerate(getattr(old.message, name)):
        lines = old.lines.child(name, index)
        specs = new.children("param")
        spec = specs[index] if index < len(specs) else new.add("param", lines)
        spec.put(spec_name, value, lines)
    old.drop(name)
