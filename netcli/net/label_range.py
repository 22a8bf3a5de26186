"""Which labels a net takes: what the losses and accuracies behind a blob of labels know of classes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netcli.layers.base import Layer
from netcli.net.net import Net

READERS = ("SoftmaxWithLoss", "InfogainLoss", "MultinomialLogisticLoss", "HingeLoss", "Accuracy")


@dataclass(frozen=True)
class LabelRange:
    """0 .. classes - 1, and those that a layer ignores.

    layer    the one that says so
    scores   the blob whose classes they are, or that has their shares
    """

    classes: int
    ignored: frozenset[int]
    layer: str
    scores: str

    def has(self, label: int) -> bool:
        return 0 <= label < self.classes or label in self.ignored


def label_ranges(net: Net, blob: str) -> list[LabelRange]:
    """What each layer that reads `blob` as labels takes, in the net's order; the net may be dry."""
    return list(_ranges(net, blob))


def _ranges(net: Net, blob: str) -> Iterator[LabelRange]:
    origin: dict[str, str] = {}  # of the tops of splits
    for i, layer in enumerate(net.layers):
        bottoms = [origin.get(name, name) for name in net.bottom_names[i]]
        if layer.type == "Split":
            origin.update(dict.fromkeys(net.top_names[i], bottoms[0]))
        if layer.type == "Mix" and bottoms[1] == blob:
            yield LabelRange(layer.p.num_classes, frozenset(), layer.name, net.top_names[i][1])
        if layer.type in READERS and bottoms[1] == blob:
            shape = net.bottoms[i][0].shape
            has_axis = layer.p is not None and "axis" in layer.p.DESCRIPTOR.fields_by_name
            classes = shape[layer.p.axis if has_axis else 1]
            yield LabelRange(classes, _ignored(layer), layer.name, bottoms[0])


def _ignored(layer: Layer) -> frozenset[int]:
    param = layer.p if layer.type == "Accuracy" else layer.param.loss_param
    return frozenset([param.ignore_label] if param.HasField("ignore_label") else [])
