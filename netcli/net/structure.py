"""Structure: a net's layers, made and set up, with the blobs between them; no memory is taken."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from netcli.blob import Blob
from netcli.layers.base import Context, Layer
from netcli.net import weights
from netcli.net.gradients import plan_backward
from netcli.net.graph import placed, wire
from netcli.net.rules import select_layers
from netcli.net.sharing import Parameter, multipliers, share_parameters, share_trained
from netcli.net.splits import insert_splits
from netcli.prototxt.lines import Document
from netcli.snapshots.caffemodel import write_weights

log = logging.getLogger("netcli")


def net_of_state(document: Document, state: object) -> Document:
    """The net (NetParameter) of a NetState, with its splits."""
    selected = select_layers(document, state)
    inside = {top for layer in selected.message.layer for top in layer.top}
    # The tops of the layers that were not selected, with those layers' names: for messages.
    left_out = {top: layer.name for layer in document.message.layer for top in layer.top if top not in inside}
    return insert_splits(selected, left_out)


class Structure:
    """What a net consists of, and what can be told of it without running it; for inheriting by `Net`.

    document                 NetParameter of its state, with its splits: what is stored
    layers, layer_names      those set up so far; the names of all
    blobs                    by name, in the order in which they come
    bottoms, tops            the blobs of each layer; bottom_names, top_names: their names
    inputs, outputs          the names of blobs that nobody makes, and that nobody reads
    learnable                the parameters that it owns and that are learned
    """

    def __init__(self, document: Document, context: Context, apart: bool) -> None:
        """apart: see `wire`."""
        self.document, self.context = document, context
        self.name: str = document.message.name
        self._graph = graph = wire(document, apart=apart)
        self.layer_names = [node.name for node in graph.nodes]
        self.inputs, self.outputs = graph.inputs, graph.outputs
        self.bottom_names = [[graph.blob_names[b] for b in node.bottoms] for node in graph.nodes]
        self.top_names = [[graph.blob_names[t] for t in node.tops] for node in graph.nodes]
        self._loss_weights = [node.loss_weights for node in graph.nodes]
        self._documents = [node.document for node in graph.nodes]  # LayerParameter
        blobs = [Blob((), context.dtype, device=context.device) for _ in graph.blob_names]
        self.blobs = dict(zip(graph.blob_names, blobs, strict=True))
        self.bottoms = [[blobs[b] for b in node.bottoms] for node in graph.nodes]
        self.tops = [[blobs[t] for t in node.tops] for node in graph.nodes]
        self.layers: list[Layer] = []

    # -- building

    def _set_up(self) -> None:
        """Make the layers and find every shape."""
        for node, bottom, top in zip(self._graph.nodes, self.bottoms, self.tops, strict=True):
            if not node.document.message.HasField("phase"):
                node.document.message.phase = self.context.phase
            with placed(node.document):
                layer = node.cls(node.document.message, self.context)
                self.layers.append(layer)
                layer.setup(bottom, top)
                layer.reshape(bottom, top)
        for name, count in Counter(layer.name for layer in self.layers).items():
            if count > 1 and any(layer.blobs for layer in self.layers if layer.name == name):
                log.warning("%d layers are named '%s'; weights are loaded into the first of them only", count, name)

    def _share(self, trained: Sequence[Layer]) -> None:
        """Let parameters be shared by name, and with the layers of another net."""
        self.learnable: list[Parameter] = share_parameters(self.layers, self._documents)
        self._looks_on = share_trained(self.layers, self._documents, trained)  # numbers of the layers that do

    def _plan_backward(self, force: bool) -> None:
        """Settle what each layer does in a backward pass, and tell the layers; force: the net's force_backward."""
        learning = [[lr_mult != 0 for lr_mult, _ in multipliers(layer)] for layer in self.layers]
        self._backward = plan_backward(self._graph, learning, force, strict=self.context.gradients)
        for layer, plan in zip(self.layers, self._backward, strict=True):
            layer.learning, layer.top_has_gradient = plan.learning, plan.arrives
            plan.runs &= self.context.gradients

    # -- what it is

    @property
    def bottom_need_backward(self) -> list[list[bool]]:
        """For each layer, which of its bottoms a backward pass writes the diffs of."""
        return [[run.runs and wanted for wanted in run.propagate] for run in self._backward]

    @property
    def params(self) -> dict[str, list[Blob]]:
        """The parameters of each layer that has any; of layers of one name, the first's."""
        params: dict[str, list[Blob]] = {}
        for layer in self.layers:
            if layer.blobs:
                params.setdefault(layer.name, layer.blobs)
        return params

    @property
    def loss_weights(self) -> dict[str, float]:
        """The weight of each blob in the loss, where it has one."""
        return {
            name: weight
            for names, of in zip(self.top_names, self._loss_weights, strict=True)
            for name, weight in zip(names, of, strict=True)
            if weight != 0
        }

    @property
    def sources(self) -> dict[str, Layer]:
        """The layers that bring data in, by name."""
        return {layer.name: layer for layer in self.layers if layer.is_source}

    def positions(self) -> dict[str, int]:
        """Records that each source has given so far."""
        return {name: source.position() for name, source in self.sources.items()}

    def seek(self, positions: Mapping[str, int]) -> None:
        """Let each source go on behind so many records; those not named stay where they are."""
        for name, source in self.sources.items():
            if name in positions:
                source.seek(positions[name])

    @property
    def weights_message(self) -> Any:
        """NetParameter: name and layers, without their parameters' values."""
        return weights.message_of(self.document.message)

    def save(self, path: str, write_diff: bool = False, hdf5: bool | None = None) -> None:
        """Write a caffemodel, in HDF5 or not, None: where the path ends with .h5; raises SnapshotError."""
        blobs = [[weights.Stored(blob) for blob in layer.blobs] for layer in self.layers]
        shared = weights.not_owned(self.layers, self.learnable)
        write_weights(path, self.weights_message, blobs, write_diff, shared, hdf5)

    def close(self) -> None:
        """Give back what the layers hold: threads, files, databases."""
        for layer in self.layers:
            layer.close()
