"""A test net in two parts: what makes scores of images, and what measures these by the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netcli.arrays.layout import Shape
from netcli.errors import NetcliError
from netcli.layers.batches import BatchLayer
from netcli.layers.class_loss import ClassLoss
from netcli.layers.registry import layer_class, layer_types
from netcli.net.graph import placed
from netcli.prototxt import schema
from netcli.prototxt.lines import Document, Lines

OF_PROBABILITIES = "MultinomialLogisticLoss"
OF_EITHER = "Accuracy"


@dataclass(frozen=True)
class Parts:
    """The layers of a net in its TEST phase.

    data      the data layer alone
    scoring   the layers that no label reaches, without it
    measures  those that one does
    images    the blob of the images; labels: the data layer's others
    scores    the blobs that the measures read of the scoring layers: whether they are scores, to be made
              probabilities by softmax, or probabilities already
    """

    data: Document
    scoring: Document
    measures: Document
    images: str
    labels: Sequence[str]
    scores: Mapping[str, bool]

    def scoring_net(self, shape: Shape) -> Document:
        """The scoring layers behind an Input of images of this shape."""
        return _with_input(self.scoring, self.data, {self.images: shape})

    def measuring_net(self, shapes: Mapping[str, Shape]) -> Document:
        """The measures behind an Input of scores and labels of these shapes."""
        return _with_input(self.measures, self.data, shapes)


def part(document: Document) -> Parts:
    """Part a net whose layers are those of its state; raises NetcliError for one whose scores can't be averaged."""
    layers = document.children("layer")
    data = _data_layer(document, layers)
    images, *labels = data.message.top
    if not labels:
        raise _fault(data, "gives no labels, which tests of several views need")
    labelled = set(labels)  # blobs that a label reaches
    scoring: list[Document] = []
    measures: list[Document] = []
    makers: dict[str, str] = {images: ""}
    scores: dict[str, bool] = {}
    for layer in layers:
        if layer.message.name == data.message.name and layer.message == data.message:
            continue
        read = [bottom for bottom in layer.message.bottom if bottom not in labelled]
        if len(read) == len(layer.message.bottom):
            changed = next((top for top in layer.message.top if top in scores), None)
            if changed is not None:
                raise _fault(layer, f"writes over '{changed}' when it was measured; its top needs another name")
            makers.update(dict.fromkeys(layer.message.top, layer.message.type))
            scoring.append(layer)
            continue
        for blob in read:
            scores[blob] = _is_score(layer, blob, makers) and scores.get(blob, True)
        labelled.update(layer.message.top)
        measures.append(layer)
    if not scores:
        raise NetcliError("no layer of the net measures scores by labels", place=document.lines.place())
    return Parts(
        _net_of(document, [data]), _net_of(document, scoring), _net_of(document, measures), images, labels, scores
    )


def _data_layer(document: Document, layers: Sequence[Document]) -> Document:
    types = layer_types()
    sources = [layer for layer in layers if not layer.message.bottom]
    made_by = [types.get(layer.message.type) for layer in sources]
    if [kind is not None and issubclass(kind, BatchLayer) and kind.whole_records for kind in made_by] != [True]:
        found = ", ".join(f"'{layer.message.name}' ({layer.message.type})" for layer in sources) or "none"
        raise NetcliError(
            "several views are of nets with one layer of whole images (Data, ImageData), and the data come from: "
            f"{found}",
            place=document.lines.place(),
        )
    return sources[0]


def _is_score(layer: Document, blob: str, makers: Mapping[str, str]) -> bool:
    """Whether softmax is still to come for a blob that a layer measures; raises NetcliError for other measures."""
    name = layer.message.type
    if blob not in makers:
        raise _fault(layer, f"no layer before makes its bottom '{blob}'")
    with placed(layer):
        kind = layer_class(name)
    if name not in (OF_PROBABILITIES, OF_EITHER) and not issubclass(kind, ClassLoss):
        raise _fault(
            layer, "measures something else than probabilities of classes, which several views are averaged to"
        )
    return name != OF_PROBABILITIES and makers[blob] != "Softmax"


def _fault(layer: Document, message: str) -> NetcliError:
    return NetcliError(message).in_layer(layer.message.name, layer.message.type).at(layer.lines.place())


def _net_of(document: Document, layers: Sequence[Document]) -> Document:
    """The net with these layers alone."""
    message = schema.NetParameter()
    message.CopyFrom(document.message)
    del message.layer[:]
    message.layer.extend(layer.message for layer in layers)
    fields = {**document.lines.fields, "layer": [layer.lines for layer in layers]}
    return Document(message, Lines(document.lines.file, document.lines.line, fields))


def _with_input(document: Document, data: Document, shapes: Mapping[str, Shape]) -> Document:
    """The net behind an Input layer with the name and the place of the data layer."""
    net, layer = document.copy(), data.children("layer")[0]
    given = net.add_first("layer", layer.lines).message
    given.name, given.type = layer.message.name, "Input"
    for name, shape in shapes.items():
        given.top.append(name)
        given.input_param.shape.add(dim=shape)
    return net
