"""Building: a net's layers, made and set up, with the blobs between them; no memory is taken."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

from netcli.blob import Blob
from netcli.layers.base import Context, Layer
from netcli.net.gradients import Backward, plan_backward
from netcli.net.graph import Graph, placed
from netcli.net.rules import select_layers
from netcli.net.sharing import Parameter, multipliers, share_parameters, share_trained
from netcli.net.splits import insert_splits
from netcli.prototxt.lines import Document

log = logging.getLogger("netcli")


def net_of_state(document: Document, state: object) -> Document:
    """The net (NetParameter) of a NetState, with its splits."""
    selected = select_layers(document, state)
    inside = {top for layer in selected.message.layer for top in layer.top}
    # The tops of the layers that were not selected, with those layers' names: for messages.
    left_out = {top: layer.name for layer in document.message.layer for top in layer.top if top not in inside}
    return insert_splits(selected, left_out)


class Frame:
    """The layers of a graph, as they are filled into it one after another.

    documents        LayerParameter of each layer
    blobs            in the order of the graph's
    bottoms, tops    the blobs of each layer
    layers           those set up so far
    """

    def __init__(self, graph: Graph, context: Context) -> None:
        self._graph, self._context = graph, context
        self.documents = [node.document for node in graph.nodes]
        self.blobs = [Blob((), context.dtype, device=context.device) for _ in graph.blob_names]
        self.bottoms = [[self.blobs[b] for b in node.bottoms] for node in graph.nodes]
        self.tops = [[self.blobs[t] for t in node.tops] for node in graph.nodes]
        self.layers: list[Layer] = []

    def set_up(self) -> None:
        """Make the layers and find every shape."""
        for node, bottom, top in zip(self._graph.nodes, self.bottoms, self.tops, strict=True):
            if not node.document.message.HasField("phase"):
                node.document.message.phase = self._context.phase
            with placed(node.document):
                layer = node.cls(node.document.message, self._context)
                self.layers.append(layer)
                layer.setup(bottom, top)
                layer.reshape(bottom, top)
        for name, count in Counter(layer.name for layer in self.layers).items():
            if count > 1 and any(layer.blobs for layer in self.layers if layer.name == name):
                log.warning("%d layers are named '%s'; weights are loaded into the first of them only", count, name)

    def share(self, trained: Sequence[Layer]) -> tuple[list[Parameter], set[int]]:
        """Let parameters be shared by name, and with the layers of another net.

        Returns those that this net owns, and the numbers of the layers that look at the other net's.
        """
        owned = share_parameters(self.layers, self.documents)
        return owned, share_trained(self.layers, self.documents, trained)

    def plan_backward(self, force: bool) -> list[Backward]:
        """What each layer does in a backward pass, of which the layers are told; force: the net's force_backward."""
        learning = [[lr_mult != 0 for lr_mult, _ in multipliers(layer)] for layer in self.layers]
        plans = plan_backward(self._graph, learning, force, strict=self._context.gradients)
        for layer, plan in zip(self.layers, plans, strict=True):
            layer.learning, layer.top_has_gradient = plan.learning, plan.arrives
            plan.runs &= self._context.gradients
        return plans
