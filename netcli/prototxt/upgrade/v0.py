"""Caffe's first form of layers, `layers { layer { ... } bottom top }`, to its second, `layers { ... }`.

A V0 layer has the settings of all types in one message.  Those that mean nothing to its type are left out with a
warning, as Caffe does.
"""

from __future__ import annotations

import logging
from typing import Any

from netcli.errors import PrototxtError, suggestion
from netcli.prototxt import schema
from netcli.prototxt.lines import Document

_log = logging.getLogger("netcli")

# type of a V0 layer -> type of a V1 layer
TYPES = {
    "accuracy": "ACCURACY",
    "bnll": "BNLL",
    "concat": "CONCAT",
    "conv": "CONVOLUTION",
    "data": "DATA",
    "dropout": "DROPOUT",
    "euclidean_loss": "EUCLIDEAN_LOSS",
    "flatten": "FLATTEN",
    "hdf5_data": "HDF5_DATA",
    "hdf5_output": "HDF5_OUTPUT",
    "im2col": "IM2COL",
    "images": "IMAGE_DATA",
    "infogain_loss": "INFOGAIN_LOSS",
    "innerproduct": "INNER_PRODUCT",
    "lrn": "LRN",
    "multinomial_logistic_loss": "MULTINOMIAL_LOGISTIC_LOSS",
    "pool": "POOLING",
    "relu": "RELU",
    "sigmoid": "SIGMOID",
    "softmax": "SOFTMAX",
    "softmax_loss": "SOFTMAX_LOSS",
    "split": "SPLIT",
    "tanh": "TANH",
    "window_data": "WINDOW_DATA",
}

# Where each type keeps its own settings, and what each of a V0 layer's fields is called there.
PARAMETERS: dict[str, tuple[str, dict[str, str]]] = {
    "conv": (
        "convolution_param",
        {
            "num_output": "num_output",
            "biasterm": "bias_term",
            "weight_filler": "weight_filler",
            "bias_filler": "bias_filler",
            "pad": "pad",
            "kernelsize": "kernel_size",
            "group": "group",
            "stride": "stride",
        },
    ),
    "innerproduct": (
        "inner_product_param",
        {
            "num_output": "num_output",
            "biasterm": "bias_term",
            "weight_filler": "weight_filler",
            "bias_filler": "bias_filler",
        },
    ),
    "pool": ("pooling_param", {"pool": "pool", "pad": "pad", "kernelsize": "kernel_size", "stride": "stride"}),
    "dropout": ("dropout_param", {"dropout_ratio": "dropout_ratio"}),
    "lrn": ("lrn_param", {"local_size": "local_size", "alpha": "alpha", "beta": "beta", "k": "k"}),
    "concat": ("concat_param", {"concat_dim": "concat_dim"}),
    "infogain_loss": ("infogain_loss_param", {"source": "source"}),
    "hdf5_data": ("hdf5_data_param", {"source": "source", "batchsize": "batch_size"}),
    "data": ("data_param", {"source": "source", "batchsize": "batch_size", "rand_skip": "rand_skip"}),
    "images": (
        "image_data_param",
        {
            "source": "source",
            "batchsize": "batch_size",
            "rand_skip": "rand_skip",
            "shuffle_images": "shuffle",
            "new_height": "new_height",
            "new_width": "new_width",
        },
    ),
    "window_data": (
        "window_data_param",
        {
            "source": "source",
            "batchsize": "batch_size",
            "det_fg_threshold": "fg_threshold",
            "det_bg_threshold": "bg_threshold",
            "det_fg_fraction": "fg_fraction",
            "det_context_pad": "context_pad",
            "det_crop_mode": "crop_mode",
        },
    ),
}
TRANSFORM = {"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size", "mirror": "mirror"}  # of any type
LAYER = ("name", "blobs", "blobs_lr", "weight_decay")  # these belong to the layer itself
CONNECTION = ("layer", "bottom", "top")  # all that counts beside the inner `layer`
PADDED = ("conv", "pool")


def needs_v0_upgrade(net: Any) -> bool:
    """Whether a layer has its settings in an inner `layer`."""
    return any(layer.HasField("layer") for layer in net.layers)


def upgrade_v0(net: Document) -> None:
    """Fold padding layers into what reads them, and give each setting to the parameter of the layer's type."""
    fold_padding(net)
    for layer in net.children("layers"):
        if layer.message.HasField("layer"):
            _upgrade_layer(layer)


def fold_padding(net: Document) -> None:
    """Take `padding` layers out: the conv or pool layer behind one takes its pad and reads its bottom."""
    layers = net.children("layers")
    makers: dict[str, Document] = {}  # the layer that made each blob last
    for layer in layers:
        for index, name in enumerate(layer.message.bottom):
            padding = makers.get(name)
            if padding is not None and _type(padding) == "padding":
                _check_padding(padding, layer)
                layer.replace("bottom", index, padding.message.bottom[0], padding.lines.child("bottom"))
                layer.sub("layer").put("pad", padding.message.layer.pad, padding.lines.child("layer").child("pad"))
        makers.update(dict.fromkeys(layer.message.top, layer))
    for index in reversed([i for i, layer in enumerate(layers) if _type(layer) == "padding"]):
        net.remove("layers", index)


def _check_padding(padding: Document, reader: Document) -> None:
    place = reader.lines.place("bottom")
    if _type(reader) not in PADDED:
        raise PrototxtError(
            f"'{padding.message.top[0]}' is the top of a padding layer, which conv and pool layers can read, "
            f"not one of type '{_type(reader)}'",
            place=place,
        )
    bottoms = len(reader.message.bottom)
    if bottoms != 1:
        raise PrototxtError(f"a layer behind a padding layer takes 1 bottom, got {bottoms}", place=place)
    for what in ("bottom", "top"):
        count = len(getattr(padding.message, what))
        if count != 1:
            raise PrototxtError(f"a padding layer takes 1 {what}, got {count}", place=padding.lines.place(what))


def _upgrade_layer(layer: Document) -> None:
    """Take one layer's inner `layer` apart."""
    old = layer.sub("layer")
    type_name = _type(layer)
    for field, _ in layer.message.ListFields():
        if field.name not in CONNECTION:
            _leave_out(layer, field.name, f"beside the inner 'layer' of a V0 layer, {field.name} says nothing")
    if old.message.HasField("type"):
        if type_name not in TYPES:
            raise PrototxtError(
                f"there is no V0 layer type '{type_name}'{suggestion(type_name, TYPES)}", place=old.lines.place("type")
            )
        value = schema.V1LayerParameter.LayerType.Value(TYPES[type_name])
        layer.put("type", value, old.lines.child("type"))
        old.drop("type")
    parameter, names = PARAMETERS.get(type_name, ("", {}))
    for field, _ in old.message.ListFields():
        name = field.name
        if name in LAYER:
            old.move(name, layer)
        elif name in TRANSFORM:
            old.move(name, layer.sub("transform_param"), TRANSFORM[name])
        elif name in names:
            old.move(name, layer.sub(parameter), names[name])
        elif name == "hdf5_output_param" and type_name == "hdf5_output":
            old.move(name, layer)
        else:
            _leave_out(old, name, f"a V0 layer of type '{type_name}' has no {name}")
    layer.drop("layer")


def _leave_out(document: Document, name: str, why: str) -> None:
    _log.warning("%s: %s; it is left out", document.lines.place(name) or "V0 net", why)
    document.drop(name)


def _type(layer: Document) -> str:
    """The type of a V0 layer; "" where it has no inner `layer`."""
    type_name: str = layer.message.layer.type
    return type_name
