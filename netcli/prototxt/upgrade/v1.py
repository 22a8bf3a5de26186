"""Caffe's second form, `layers { type: CONVOLUTION }`, to today's, `layer { type: "Convolution" }`."""

from __future__ import annotations

from typing import Any

from netcli.errors import PrototxtError
from netcli.prototxt import schema
from netcli.prototxt.lines import Document, Lines
from netcli.prototxt.upgrade.moving import add, is_set, move

# V1 type -> today's, where that is not the words with capitals
SPECIAL = {
    "NONE": "",
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "IM2COL": "Im2col",
    "LRN": "LRN",
    "MVN": "MVN",
    "RELU": "ReLU",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}
# repeated field of a V1 layer -> field of ParamSpec
PARAMS = {"param": "name", "blob_share_mode": "share_mode", "blobs_lr": "lr_mult", "weight_decay": "decay_mult"}


def needs_v1_upgrade(net: Any) -> bool:
    """Whether the net has `layers`."""
    return len(net.layers) > 0


def upgrade_v1(document: Document) -> None:
    """Every entry of `layers` made one of `layer`."""
    net, lines = document.message, document.lines
    if net.layer:
        first = lines.child("layer").line
        where = f" (line {first})" if first else ""
        raise PrototxtError(
            f"has both 'layers', the old form, and 'layer'{where}; write all as 'layer'", place=lines.place("layers")
        )
    for old in document.children("layers"):
        new = add(document, "layer", Lines(old.lines.file, old.lines.line))
        upgrade_layer(old, new)
    net.ClearField("layers")
    lines.fields.pop("layers", None)


def layer_type(name: str) -> str:
    """Today's name of a V1 layer type: "INNER_PRODUCT" -> "InnerProduct"."""
    return SPECIAL[name] if name in SPECIAL else "".join(word.capitalize() for word in name.split("_"))


def upgrade_layer(old: Document, new: Document) -> None:
    """Fill LayerParameter `new` from V1LayerParameter `old`, which loses what it gives."""
    if old.message.HasField("type"):
        new.message.type = layer_type(schema.V1LayerParameter.LayerType.Name(old.message.type))
        new.lines.fields["type"] = old.lines.fields.pop("type", [])
    for name, spec_name in PARAMS.items():
        values = getattr(old.message, name)
        for i, value in enumerate(values):
            line = old.lines.child(name, i)
            if i == len(new.message.param):
                add(new, "param", Lines(line.file, line.line))
            setattr(new.message.param[i], spec_name, value)
            new.lines.fields["param"][i].fields[spec_name] = [line]
        old.message.ClearField(name)
    for field, _ in old.message.ListFields():
        if field.name not in ("type", "layer") and is_set(old.message, field.name):
            move(old, field.name, new)
