"""Passes: the layers' verbs in prebuilt lists, which a pass runs through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from netcli.arrays.device import CPU
from netcli.arrays.late import Late
from netcli.blob import Blob
from netcli.errors import NetcliError
from netcli.layers.base import Context, Layer
from netcli.net.graph import placed
from netcli.net.joining import Run
from netcli.prototxt.lines import Document


class Passes:
    """What the passes of a net run through.

    context       the layers'
    documents     LayerParameter of each layer, by which a fault finds its place
    loss_weights  of each layer's tops

    losses     (number of the layer, blob, weight) of each blob that counts in the loss
    unwritten  blobs whose diffs are read in a backward pass and written by nobody
    """

    def __init__(
        self,
        context: Context,
        layers: Sequence[Layer],
        documents: Sequence[Document],
        tops: Sequence[Sequence[Blob]],
        loss_weights: Sequence[Sequence[float]],
    ) -> None:
        self._context, self._layers, self._documents = context, layers, documents
        # the loss of the last pass, on a card, without axes
        self._total: Any = None if context.device is CPU else context.device.zeros(1, np.float64).reshape(())
        self.losses = [
            (i, blob, weight)
            for i, (top, of) in enumerate(zip(tops, loss_weights, strict=True))
            for blob, weight in zip(top, of, strict=True)
            if weight != 0
        ]
        self.unwritten: list[Blob] = []

    def lay_out(self, runs: Sequence[Run]) -> None:
        """Take what is done for each layer, for the present shapes; also while a forward is under way."""
        self.unwritten = [
            blob
            for run in runs
            for blob, arrives in zip(run.tops, run.backward.arrives, strict=True)
            if run.backward.runs and not arrives
        ]
        self._forward = [
            (layer.forward, run.bottoms, run.tops, [(blob, blob.shape) for blob in run.tops]) if run.forward else None
            for layer, run in zip(self._layers, runs, strict=True)
        ]
        self._backward = [
            (layer.backward, run.tops, run.backward.propagate, run.bottoms) if run.backward.runs else None
            for layer, run in zip(self._layers, runs, strict=True)
        ]

    def forward(self, start: int, stop: int, follow: Callable[[int, int], None]) -> None:
        """Run layers `start` to `stop` - 1.

        follow: called with i and stop where layer i has given a top another shape
        """
        i = start
        try:
            with np.errstate(all="ignore"):  # what is not finite shows in the results, as in Caffe
                for i in range(start, stop):
                    step = self._forward[i]
                    if step is None:
                        continue
                    forward, bottom, top, shapes = step
                    forward(bottom, top)
                    for blob, shape in shapes:
                        if blob.shape is not shape:
                            follow(i, stop)
                            break
        except NetcliError:
            with placed(self._documents[i]):
                raise
        if self._total is not None:
            self._weigh(start, stop)

    def loss(self, start: int, stop: int) -> float:
        """The part that layers `start` to `stop` - 1 had in the last pass's loss; on a card that of all that ran.

        What was found wrong on a card is raised when that is looked at, and here where no loss may be.
        """
        if self._total is not None:
            return cast(float, self._late_loss())  # all that one may do to a float
        loss = 0.0
        for i, blob, weight in self.losses:
            if start <= i < stop:
                data = blob.data
                loss += weight * float(data if data.ndim == 0 else data.sum())
        return loss

    def _weigh(self, start: int, stop: int) -> None:
        """Sum the losses on a card."""
        self._total.fill(0)
        for i, blob, weight in self.losses:
            if start <= i < stop:
                self._total += blob.data.sum(dtype=np.float64) * weight

    def _late_loss(self) -> Late:
        device, loss = self._context.device, self._total.copy()
        if not self._context.gradients:
            self._look()

        def read() -> float:
            self._look()
            return float(device.to_host(loss))

        return Late(read)

    def _look(self) -> None:
        """Raise what the layers found wrong on a card, see Note [Doubts]."""
        self._context.doubts.look(lambda layer: placed(self._documents[self._layers.index(layer)]))

    def begin_backward(self, start: int, end: int) -> None:
        """Put the weights of the losses of layers `start` down to `end` where their gradients begin, and zeros."""
        for i, blob, weight in self.losses:
            if end <= i <= start:
                blob.diff.fill(weight)
        for blob in self.unwritten:
            blob.clear_diff()

    def backward(self, start: int, end: int) -> None:
        """Run layers `start` down to `end` backward."""
        i = start
        try:
            with np.errstate(all="ignore"):
                for i in range(start, end - 1, -1):
                    step = self._backward[i]
                    if step is not None:
                        backward, top, propagate, bottom = step
                        backward(top, propagate, bottom)
        except NetcliError:
            with placed(self._documents[i]):
                raise
