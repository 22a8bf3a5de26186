"""Shapes: those that each layer of a net was set up for, and the way to others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.blob import Blob
from netcli.layers.base import Layer
from netcli.net.graph import placed
from netcli.prototxt.lines import Document


class Shapes:
    """Of the blobs of layers that have been set up.

    documents  LayerParameter of each layer, by which a fault finds its place
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        documents: Sequence[Document],
        bottoms: Sequence[Sequence[Blob]],
        tops: Sequence[Sequence[Blob]],
    ) -> None:
        self._layers, self._documents, self._bottoms, self._tops = layers, documents, bottoms, tops
        self._noted: list[list[tuple[Blob, Any]]] = [[] for _ in layers]
        for i in range(len(layers)):
            self.note(i)

    def note(self, i: int) -> None:
        """Layer i is set up for the shapes that its blobs have now."""
        self._noted[i] = [(blob, blob.shape) for blob in (*self._bottoms[i], *self._tops[i])]

    def differ(self, start: int, stop: int) -> bool:
        """Whether a blob of layers `start` to `stop` - 1 was given another shape since."""
        return any(blob.shape is not shape for i in range(start, stop) for blob, shape in self._noted[i])

    def follow(self, start: int, stop: int) -> None:
        """Let layers `start` to `stop` - 1 follow the shapes of their bottoms; raises NetcliError with the place."""
        for i in range(start, stop):
            if self._bottoms[i]:  # the others know their shapes without being told
                with placed(self._documents[i]):
                    self._layers[i].reshape(self._bottoms[i], self._tops[i])
            self.note(i)
