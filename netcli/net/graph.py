"""How layers hang together: which blob each bottom and top is, and who reads what who writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from netcli.errors import NetcliError, PrototxtError, ShapeError
from netcli.layers.base import Layer, check_arity
from netcli.layers.registry import layer_class
from netcli.prototxt.lines import Document

AUTOMATIC = "(automatic)"  # the name of a top that a loss layer has without being given one


@contextmanager
def placed(layer: Document) -> Iterator[None]:
    """Faults raised inside get the layer's name and the place of the field they name."""
    try:
        yield
    except NetcliError as fault:
        fault.in_layer(layer.message.name, layer.message.type).at(layer.lines.find(fault.field))
        raise


@dataclass
class Node:
    """A layer in the graph; blobs are numbers, indices into `Graph.blob_names`."""

    document: Document  # LayerParameter
    cls: type[Layer]
    bottoms: list[int]
    tops: list[int]
    loss_weights: list[float]  # of each top; 0: no loss
    readers: list[tuple[int, int] | None]  # of each top as this layer leaves it: (layer, bottom), None: nobody

    @property
    def name(self) -> str:
        name: str = self.document.message.name
        return name


@dataclass
class Graph:
    nodes: list[Node] = field(default_factory=list)
    blob_names: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)  # tops of Input layers, in order
    outputs: list[str] = field(default_factory=list)  # tops that no layer reads, by name, as Caffe orders them

    def blob(self, name: str) -> int:
        self.blob_names.append(name)
        return len(self.blob_names) - 1


def wire(document: Document, apart: bool = False) -> Graph:
    """The graph of a net (NetParameter) whose splits are in; checks names, arity and weights, no shape.

    apart: layers in place whose backward needs what they write over get a top of their own, under the same name,
        where no other layer's backward could tell.  (Caffe's in-place layers may read in backward what another has
        written there meanwhile; so do ours.)
    """
    graph = Graph()
    current: dict[str, int] = {}  # blob of each name
    unread: dict[str, tuple[int, int]] = {}  # the top (layer, index) that nobody has read yet
    for number, layer in enumerate(document.children("layer")):
        with placed(layer):
            message = layer.message
            cls = layer_class(message.type)
            bottoms = []
            for j, name in enumerate(message.bottom):
                writer, index = unread.pop(name)  # splits have seen to it that each top has one reader
                graph.nodes[writer].readers[index] = (number, j)
                bottoms.append(current[name])
            tops = []
            for j, name in enumerate(message.top):
                tops.append(_top(graph, layer, cls, j, bottoms, current, apart))
                current[name] = tops[-1]
                unread[name] = (number, j)
            if message.type == "Input":
                graph.inputs.extend(message.top)
            lowest = cls.tops if isinstance(cls.tops, int) else cls.tops[0]
            if cls.is_loss:
                tops.extend(graph.blob(AUTOMATIC) for _ in range(lowest - len(tops)))
            check_arity(cls, len(bottoms), len(tops))
            weights = loss_weights(cls, message.loss_weight, len(tops))
            if message.propagate_down and len(message.propagate_down) != len(bottoms):
                raise ShapeError(
                    f"gives propagate_down {_counted(len(message.propagate_down), 'time')} "
                    f"for {_counted(len(bottoms), 'bottom')}; "
                    "give it once for each, or not at all",
                    field="propagate_down",
                )
            graph.nodes.append(Node(layer, cls, bottoms, tops, weights, [None] * len(tops)))
    graph.outputs = sorted(unread, key=str.encode)
    return graph


def _top(
    graph: Graph,
    layer: Document,
    cls: type[Layer],
    j: int,
    bottoms: Sequence[int],
    current: dict[str, int],
    apart: bool,
) -> int:
    """The blob of top j: its bottom's where the layer writes over that, a new one otherwise."""
    name = layer.message.top[j]
    if j < len(bottoms) and name == layer.message.bottom[j]:
        # A layer that can't write over its bottom gets a top of its own under the same name.
        if cls.in_place and not (apart and cls.reads_bottom and _is_forgotten(graph, bottoms[j])):
            return bottoms[j]
        return graph.blob(name)
    if name in current:
        maker = next((n for n in graph.nodes if current[name] in n.tops), None)
        if maker is None:
            why = f"makes '{name}' twice"
        elif any(b.startswith(f"{name}_{maker.name}_") for b in layer.message.bottom):
            why = f"can't write over '{name}', since another layer reads it as well; give this top a name of its own"
        else:
            why = f"makes '{name}', which layer '{maker.name}' makes already"
        fault = PrototxtError(why, field="top")
        fault.at(layer.lines.place("top", j))
        raise fault
    return graph.blob(name)


def _is_forgotten(graph: Graph, blob: int) -> bool:
    """Whether the backward of no layer that has written a blob reads what it wrote."""
    return not any(node.cls.reads_top for node in graph.nodes if blob in node.tops)


def loss_weights(cls: type[Layer], given: Sequence[float], tops: int) -> list[float]:
    """The weight of each top in the loss: as given, else 1 for the first top of a loss layer."""
    if given:
        if len(given) != tops:
            raise ShapeError(
                f"gives loss_weight {_counted(len(given), 'time')} for {_counted(tops, 'top')}; "
                "give it once for each, or not at all",
                field="loss_weight",
            )
        return list(given)
    return [1.0 if cls.is_loss and j == 0 else 0.0 for j in range(tops)]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
