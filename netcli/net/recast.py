"""Inner products recast as convolutions, so that a net takes larger images: a fully convolutional net.

Sermanet et al., "OverFeat", 2014, section 3.5; Long, Shelhamer & Darrell, "Fully Convolutional Networks for Semantic
Segmentation", 2015, section 3.1.  On images of the old size the results stay.  On larger ones each top has a place for
each place of the old input, as a window, over the image; but what layers pad is at the image's border alone.

    y = W x + b, W (M, K), K = C H W   becomes   a convolution with M filters (C, H, W)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from netcli.arrays.layout import Shape, count_of
from netcli.errors import ShapeError
from netcli.layers.base import Layer
from netcli.layers.class_loss import ClassLoss
from netcli.net.graph import placed
from netcli.net.net import Net
from netcli.net.rules import is_included
from netcli.prototxt.lines import Document

# Layers that do the same to each item, wherever it lies.
OF_ITEMS = {
    *("AbsVal", "BNLL", "Clip", "Dropout", "ELU", "Eltwise", "Exp", "Log", "Power", "ReLU", "Sigmoid"),
    *("Silence", "Split", "Swish", "TanH", "Threshold"),
}
# Layers over the channels, their axis 1: a vector (N, K) may as well be (N, K, 1, 1).
OF_CHANNELS = {"Accuracy", "ArgMax", "BatchNorm", "Bias", "Concat", "PReLU", "Scale", "Slice", "Softmax"}
WITHOUT_AXIS = {"BatchNorm", "PReLU"}
RESTATED = {"Flatten", "Reshape"}
KEPT = ("num_output", "bias_term", "weight_filler", "bias_filler")  # of InnerProductParameter, named alike in both


@dataclass
class Recast:
    """What becomes of a net's layers, by their places in its file.

    kernels   of those that become convolutions: (C, H, W) of each filter
    removed   those that go, since their top is their bottom in another shape: (top, bottom)
    """

    kernels: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    removed: dict[int, tuple[str, str]] = field(default_factory=dict)

    def bottom(self, name: str) -> str:
        """The blob that a layer reads now where it read `name`."""
        for top, bottom in reversed(self.removed.values()):
            if name == top:
                name = bottom
        return name


def recast(document: Document, net: Net) -> Recast:
    """What is to be done to a net, given as its file has it and as it was built (dry is enough).

    Raises ShapeError, with layer and place, where an inner product or what follows one can't be told by places.
    """
    found = Recast()
    shapes: dict[str, Shape] = {}  # of blobs, where they are others than they were
    for number, place in zip(_numbers(document, net), range(len(net.layers)), strict=True):
        layer = net.layers[place]
        old = [blob.shape for blob in net.bottoms[place]]
        names = net.bottom_names[place]
        new = [shapes.get(name, shape) for name, shape in zip(names, old, strict=True)]
        with placed(net.document.children("layer")[place]):
            tops = _followed(found, number, layer, old, new, [blob.shape for blob in net.tops[place]])
        if number in found.removed:
            found.removed[number] = (net.top_names[place][0], document.message.layer[number].bottom[0])
        for name, shape, was in zip(net.top_names[place], tops, net.tops[place], strict=True):
            shapes.pop(name, None)
            if shape != was.shape:
                shapes[name] = shape
    if not found.kernels:
        raise ShapeError("the net has no inner product to recast").at(document.lines.place())
    return found


def _numbers(document: Document, net: Net) -> Sequence[int]:
    """For each layer of a built net its place in the file; -1: a split."""
    included = [i for i, layer in enumerate(document.message.layer) if is_included(layer, net.document.message.state)]
    numbers, rest = [], iter(included)
    upcoming = next(rest, -1)
    for name in net.layer_names:
        if upcoming >= 0 and name == document.message.layer[upcoming].name:
            numbers.append(upcoming)
            upcoming = next(rest, -1)
        else:
            numbers.append(-1)
    return numbers


def _followed(
    found: Recast, number: int, layer: Layer, old: Sequence[Shape], new: Sequence[Shape], tops: Sequence[Shape]
) -> Sequence[Shape]:
    """The shapes that a layer's tops will have, when its bottoms have the new ones; notes what becomes of it."""
    if layer.type == "InnerProduct":
        found.kernels[number] = _kernel(layer, new[0])
        return [(new[0][0], tops[0][1], 1, 1)]
    if layer.type in RESTATED and len(new[0]) == 4 and tops[0] in _flat(new[0]):
        found.removed[number] = ("", "")
        return [new[0]]
    if list(old) == list(new) or layer.type in ("Silence",):
        return tops
    if layer.type in OF_ITEMS and all(shape == new[0] for shape in new):
        return [new[0]] * len(tops)
    changed = next(shape for shape, was in zip(new, old, strict=True) if shape != was)
    vector = all(shape[2:] == (1, 1) or shape == was for shape, was in zip(new, old, strict=True))
    if vector and _is_of_channels(layer, old, new):
        return [(*top, 1, 1) if len(top) == 2 else top for top in tops]
    raise ShapeError(
        f"takes its bottom as {old[0]}; behind a convolution that is {changed}, whose places it would not keep apart"
    )


def _kernel(layer: Layer, bottom: Shape) -> tuple[int, int, int]:
    """(C, H, W) of the filters that an inner product becomes."""
    if len(bottom) != 4:
        raise ShapeError(
            f"its bottom is {bottom}, which is no image (N, C, H, W) for a convolution's window", field="bottom"
        )
    if layer.p.axis not in (1, -3):
        raise ShapeError(
            f"axis {layer.p.axis}: a convolution takes channels, height and width, which are axis 1 and those behind",
            field="inner_product_param.axis",
        )
    return bottom[1], bottom[2], bottom[3]


def _flat(shape: Shape) -> Sequence[Shape]:
    """(N, C, H, W) as vectors: it is the same in memory."""
    return [(shape[0], count_of(shape[1:])), (shape[0], count_of(shape[1:]), 1, 1)]


def _is_of_channels(layer: Layer, old: Sequence[Shape], new: Sequence[Shape]) -> bool:
    """Whether a layer of vectors (N, K) does the same to (N, K, 1, 1), and to each place of larger ones."""
    measures = layer.type == "Accuracy" or isinstance(layer, ClassLoss)
    if not measures and (layer.type not in OF_CHANNELS or any(len(shape) != 4 for shape in new)):
        return False
    if any(shape[2:] != (1, 1) for shape, was in zip(new, old, strict=True) if shape != was):
        return False
    if layer.type in WITHOUT_AXIS:
        return True
    return bool(layer.p.axis == 1 and (layer.type != "ArgMax" or layer.p.HasField("axis")))


def recast_layer(layer: Document, kernel: tuple[int, int, int]) -> None:
    """Make a layer of type InnerProduct a convolution with filters (C, H, W)."""
    message, lines = layer.message, layer.lines
    given = message.inner_product_param
    message.type = "Convolution"
    message.ClearField("convolution_param")
    for name in KEPT:
        if given.HasField(name):
            value = getattr(given, name)
            if hasattr(value, "CopyFrom"):
                getattr(message.convolution_param, name).CopyFrom(value)
            else:
                setattr(message.convolution_param, name, value)
    for name, size in window_fields(kernel):
        held = getattr(message.convolution_param, name)
        if name == "kernel_size":
            held.append(size)
        else:
            setattr(message.convolution_param, name, size)
    message.ClearField("inner_product_param")
    lines.fields["convolution_param"] = lines.fields.pop("inner_product_param", [])


def window_fields(kernel: tuple[int, int, int]) -> Sequence[tuple[str, int]]:
    """The fields of ConvolutionParameter that say the window's size."""
    _, height, width = kernel
    return [("kernel_size", height)] if height == width else [("kernel_h", height), ("kernel_w", width)]


def recast_document(document: Document, what: Recast) -> Document:
    """The net with its layers recast; lines stay those of the file."""
    new = document.copy()
    for number, layer in enumerate(new.children("layer")):
        for index, name in enumerate(layer.message.bottom):
            layer.message.bottom[index] = what.bottom(name)
        if number in what.kernels:
            recast_layer(layer, what.kernels[number])
    for number in sorted(what.removed, reverse=True):
        new.remove("layer", number)
    return new


def filters_of(layer: Layer, kernel: tuple[int, int, int]) -> Any:
    """The weights of an inner product as those of its convolution: (M, C, H, W)."""
    w = layer.blobs[0].data
    return (w.T if layer.p.transpose else w).reshape(-1, *kernel)
