"""Caffe's first form, `layers { layer { ... } bottom top }`, to its second, `layers { ... }`."""

from __future__ import annotations

from typing import Any

from netcli.errors import PrototxtError, suggestion
from netcli.prototxt import schema
from netcli.prototxt.lines import Document, Lines
from netcli.prototxt.upgrade.moving import inside, is_set, move

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

_CONV, _IP, _POOL = "convolution_param", "inner_product_param", "pooling_param"
_DATA, _IMAGES, _WINDOW, _HDF5 = "data_param", "image_data_param", "window_data_param", "hdf5_data_param"

# field of a V0 layer -> for each V0 type that has it, the parameter it belongs to and its name there
FIELDS: dict[str, dict[str, tuple[str, str]]] = {
    "num_output": {"conv": (_CONV, "num_output"), "innerproduct": (_IP, "num_output")},
    "biasterm": {"conv": (_CONV, "bias_term"), "innerproduct": (_IP, "bias_term")},
    "weight_filler": {"conv": (_CONV, "weight_filler"), "innerproduct": (_IP, "weight_filler")},
    "bias_filler": {"conv": (_CONV, "bias_filler"), "innerproduct": (_IP, "bias_filler")},
    "pad": {"conv": (_CONV, "pad"), "pool": (_POOL, "pad")},
    "kernelsize": {"conv": (_CONV, "kernel_size"), "pool": (_POOL, "kernel_size")},
    "group": {"conv": (_CONV, "group")},
    "stride": {"conv": (_CONV, "stride"), "pool": (_POOL, "stride")},
    "pool": {"pool": (_POOL, "pool")},
    "dropout_ratio": {"dropout": ("dropout_param", "dropout_ratio")},
    "local_size": {"lrn": ("lrn_param", "local_size")},
    "alpha": {"lrn": ("lrn_param", "alpha")},
    "beta": {"lrn": ("lrn_param", "beta")},
    "k": {"lrn": ("lrn_param", "k")},
    "source": {
        "data": (_DATA, "source"),
        "hdf5_data": (_HDF5, "source"),
        "images": (_IMAGES, "source"),
        "window_data": (_WINDOW, "source"),
        "infogain_loss": ("infogain_loss_param", "source"),
    },
    "batchsize": {
        "data": (_DATA, "batch_size"),
        "hdf5_data": (_HDF5, "batch_size"),
        "images": (_IMAGES, "batch_size"),
        "window_data": (_WINDOW, "batch_size"),
    },
    "rand_skip": {"data": (_DATA, "rand_skip"), "images": (_IMAGES, "rand_skip")},
    "shuffle_images": {"images": (_IMAGES, "shuffle")},
    "new_height": {"images": (_IMAGES, "new_height")},
    "new_width": {"images": (_IMAGES, "new_width")},
    "concat_dim": {"concat": ("concat_param", "concat_dim")},
    "det_fg_threshold": {"window_data": (_WINDOW, "fg_threshold")},
    "det_bg_threshold": {"window_data": (_WINDOW, "bg_threshold")},
    "det_fg_fraction": {"window_data": (_WINDOW, "fg_fraction")},
    "det_context_pad": {"window_data": (_WINDOW, "context_pad")},
    "det_crop_mode": {"window_data": (_WINDOW, "crop_mode")},
}
# fields that any layer may have
TRANSFORM = {"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size", "mirror": "mirror"}
KEPT = ("name", "blobs", "blobs_lr", "weight_decay", "hdf5_output_param")


def needs_v0_upgrade(net: Any) -> bool:
    """Whether a layer has its settings in an inner `layer`."""
    return any(layer.HasField("layer") for layer in net.layers)


def upgrade_v0(document: Document) -> None:
    """Fold padding layers into what follows them, and spread each layer's settings over today's parameters."""
    fold_padding(document)
    for layer in document.children("layers"):
        upgrade_layer(layer)


def fold_padding(document: Document) -> None:
    """Take `padding` layers out; the convolution or pooling that reads one gets its pad and reads its bottom."""
    layers = document.children("layers")
    makers: dict[str, Document] = {}  # of each blob, so far
    for layer in layers:
        for i, name in enumerate(layer.message.bottom):
            padding = makers.get(name)
            if padding is not None and _is_padding(padding):
                _check_padding(padding, layer)
                layer.message.bottom[i] = padding.message.bottom[0]
                layer.message.layer.pad = padding.message.layer.pad
                inside(layer, "layer").lines.fields["pad"] = [padding.lines.child("layer").child("pad")]
        makers.update((name, layer) for name in layer.message.top)
    kept = [layer for layer in layers if not _is_padding(layer)]
    copies = [type(layer.message)() for layer in kept]
    for copy, layer in zip(copies, kept, strict=True):
        copy.CopyFrom(layer.message)
    del document.message.layers[:]
    document.message.layers.extend(copies)
    document.lines.fields["layers"] = [layer.lines for layer in kept]


def upgrade_layer(layer: Document) -> None:
    """One layer's inner `layer` taken apart."""
    if not layer.message.HasField("layer"):
        return
    old = inside(layer, "layer")
    kind: str = old.message.type
    for name in KEPT:
        move(old, name, layer)
    if old.message.HasField("type"):
        if kind not in TYPES:
            raise PrototxtError(
                f"there is no V0 layer type '{kind}'{suggestion(kind, TYPES)}", place=old.lines.place("type")
            )
        layer.message.type = schema.V1LayerParameter.LayerType.Value(TYPES[kind])
        layer.lines.fields["type"] = old.lines.fields.pop("type", [Lines(layer.lines.file, layer.lines.line)])
        old.message.ClearField("type")
    for name, new_name in TRANSFORM.items():
        if is_set(old.message, name):
            move(old, name, inside(layer, "transform_param"), new_name)
    for name, owners in FIELDS.items():
        if not is_set(old.message, name):
            continue
        if kind not in owners:
            raise PrototxtError(
                f"a V0 layer of type '{kind}' has no {name}; it belongs to {' and '.join(owners)}",
                place=old.lines.place(name),
            )
        parameter, new_name = owners[kind]
        move(old, name, inside(layer, parameter), new_name)
    layer.message.ClearField("layer")
    layer.lines.fields.pop("layer", None)


def _is_padding(layer: Document) -> bool:
    return bool(layer.message.layer.type == "padding")


def _check_padding(padding: Document, reader: Document) -> None:
    kind = reader.message.layer.type
    if kind not in ("conv", "pool"):
        raise PrototxtError(
            f"layer '{reader.message.layer.name}' of type '{kind}' reads a padding layer; only conv and pool can",
            place=reader.lines.place("bottom"),
        )
    if len(reader.message.bottom) != 1 or len(padding.message.bottom) != 1 or len(padding.message.top) != 1:
        raise PrototxtError(
            f"padding layer '{padding.message.layer.name}' and the layer that reads it take one bottom each",
            place=padding.lines.place(),
        )
