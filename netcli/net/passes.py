"""Passes: the layers' verbs in prebuilt lists, which a pass runs through."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, cast

import numpy as np

from netcli.arrays.device import CPU
from netcli.arrays.late import Late
from netcli.arrays.replay import Replay
from netcli.blob import Blob
from netcli.errors import NetcliError
from netcli.layers.base import Context, Layer
from netcli.net.graph import placed
from netcli.net.joining import Run
from netcli.net.places import Places
from netcli.prototxt.lines import Document

log = logging.getLogger("netcli")

Watcher = Callable[[int, bool], AbstractContextManager[Any]]  # of a layer's number, and whether it runs backward


class Passes:
    """What the passes of a net run through.

    context       the layers'
    documents     LayerParameter of each layer, by which a fault finds its place
    loss_weights  of each layer's tops

    kept          whether a program may look at any blob after a pass, and run parts of one

    watcher    what each layer's forward or backward is done within, and no pass is replayed then; None: none
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
        kept: bool,
    ) -> None:
        self._context, self._layers, self._documents, self._tops = context, layers, documents, tops
        # the loss of the last pass, on a card, without axes
        self._total: Any = None if context.device is CPU else context.device.zeros(1, np.float64).reshape(())
        self.losses = [
            (i, blob, weight)
            for i, (top, of) in enumerate(zip(tops, loss_weights, strict=True))
            for blob, weight in zip(top, of, strict=True)
            if weight != 0
        ]
        self.unwritten: list[Blob] = []
        self.watcher: Watcher | None = None
        self._host = [i for i, layer in enumerate(layers) if not layer.replays]  # what stays outside of recordings
        self._kept, self._replays = kept, context.device.records
        self._replay_forward = self._replay_backward = Replay(context.device, "the net")

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
        self._only_read = [] if self._context.device is CPU else _only_read(self._layers, runs)
        self._lay_out_replays(runs)

    def _lay_out_replays(self, runs: Sequence[Run]) -> None:
        """Forget what was recorded, for arrays may lie elsewhere."""
        if not self._replays:
            return
        for i in self._host:
            if runs[i].bottoms and (runs[i].forward or runs[i].backward.runs):
                layer = self._layers[i]
                log.info("layer '%s' (%s) runs on the host too, so that no pass is replayed", layer.name, layer.type)
                self._replays = False
                return
        blobs = {
            id(b.diff_buffer): b
            for run, layer in zip(runs, self._layers, strict=True)
            for b in (*run.bottoms, *run.tops, *layer.blobs)
        }
        buffers = [blob.diff_buffer for blob in blobs.values()]
        self._places = Places(blobs.values() if self._kept else [blob for i in self._host for blob in self._tops[i]])
        self._replay_forward = Replay(self._context.device, "the forward pass")
        self._replay_backward = Replay(self._context.device, "the backward pass", buffers)

    def forward(self, start: int, stop: int, follow: Callable[[int, int], None]) -> None:
        """Run layers `start` to `stop` - 1.

        follow: called with i and stop where layer i has given a top another shape
        """
        with self._reading():
            if self._replays and self.watcher is None and start == 0 and stop == len(self._layers):
                self._replayed_forward(follow)
                return
            self._run(range(start, stop), stop, follow)
            if self._total is not None:
                self._weigh(start, stop)
        if self._replays:
            self.forget()  # layers may have left to backward other arrays than those of a recording

    def _replayed_forward(self, follow: Callable[[int, int], None]) -> None:
        stop = len(self._layers)
        self._run(self._host, stop, follow)
        self._settle()
        rest = [i for i in range(stop) if i not in self._host]

        def work() -> None:
            self._replay_backward.outdate()  # the layers keep other arrays for it
            self._run(rest, stop, follow)
            self._weigh(0, stop)

        self._replay_forward(work)

    def _settle(self) -> None:
        """See that what is recorded finds what it works on, though a replay looks at no blob."""
        if self._places.settle():
            self.forget()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Mirrors of what a pass only reads, which are no older than the card when it begins, are not so afterwards."""
        mirrors = [mirror for blob in self._only_read if (mirror := blob.data_buffer.mirror) and not mirror.is_older]
        yield
        for mirror in mirrors:
            mirror.has_read()

    def _run(self, numbers: Iterable[int], stop: int, follow: Callable[[int, int], None]) -> None:
        i, watcher = 0, self.watcher
        try:
            with np.errstate(all="ignore"):  # what is not finite shows in the results, as in Caffe
                for i in numbers:
                    step = self._forward[i]
                    if step is None:
                        continue
                    forward, bottom, top, shapes = step
                    if watcher is None:
                        forward(bottom, top)
                    else:
                        with watcher(i, False):
                            forward(bottom, top)
                    for blob, shape in shapes:
                        if blob.shape is not shape:
                            follow(i, stop)
                            break
        except NetcliError:
            with placed(self._documents[i]):
                raise

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
            with device.turn:
                self._look()
                return float(device.to_host(loss))

        return Late(read)

    def _look(self) -> None:
        """Raise what the layers found wrong on a card, see Note [Doubts]."""
        self._context.doubts.look(lambda layer: placed(self._documents[self._layers.index(layer)]))

    def whole_backward(self) -> None:
        """Run the whole backward pass, of a net that is not kept from its losses' weights on."""
        last = len(self._layers) - 1

        def work() -> None:
            if not self._kept:
                self.begin_backward(last, 0)
            self._run_backward(last, 0)

        with self._reading():
            if self._replays and self.watcher is None:
                self._settle()
                self._replay_backward(work)
            else:
                work()

    def forget(self) -> None:
        """What was made of the parameters is no longer right: what is recorded makes it no more."""
        self._replay_forward.forget()
        self._replay_backward.forget()

    def begin_backward(self, start: int, end: int) -> None:
        """Put the weights of the losses of layers `start` down to `end` where their gradients begin, and zeros."""
        for i, blob, weight in self.losses:
            if end <= i <= start:
                blob.diff.fill(weight)
        for blob in self.unwritten:
            blob.clear_diff()

    def backward(self, start: int, end: int) -> None:
        """Run layers `start` down to `end` backward."""
        with self._reading():
            self._run_backward(start, end)

    def _run_backward(self, start: int, end: int) -> None:
        i, watcher = start, self.watcher
        try:
            with np.errstate(all="ignore"):
                for i in range(start, end - 1, -1):
                    step = self._backward[i]
                    if step is not None:
                        backward, top, propagate, bottom = step
                        if watcher is None:
                            backward(top, propagate, bottom)
                        else:
                            with watcher(i, True):
                                backward(top, propagate, bottom)
        except NetcliError:
            with placed(self._documents[i]):
                raise


def _only_read(layers: Sequence[Layer], runs: Sequence[Run]) -> list[Blob]:
    """Inputs of a net and parameters, without those whose data a pass writes to on a card."""
    written = {
        id(top.data_buffer)
        for run in runs
        for top in run.tops
        # One that looks at another blob's memory is not written to; one that is its own bottom is.
        if run.bottoms and not any(b is not top and b.data_buffer is top.data_buffer for b in run.bottoms)
    }
    read = []
    for layer, run in zip(layers, runs, strict=True):
        if layer.type == "Input":
            read += run.tops
        if layer.replays and not layer.statistics:
            read += layer.blobs
    return [blob for blob in read if id(blob.data_buffer) not in written]
