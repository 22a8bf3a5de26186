"""Dropout.

Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov, "Dropout: A Simple Way to Prevent Neural Networks
from Overfitting", JMLR 15, 2014.  Same distribution as Caffe's dropout_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import layer
from netcli.layers.neuron import Neuron


@layer("Dropout", param="dropout_param")
class Dropout(Neuron):
    """In TRAIN each item is zero with probability `dropout_ratio`, else x / (1 - dropout_ratio); in TEST y = x.

    The draws depend on the net's seed, the layer's name and the number of forward passes alone.

    bottom  x              any shape
    top     y              shape of x; may be x itself
    param   dropout_ratio  0 <= ratio < 1; default 0.5
            scale_train    false (Fast R-CNN): all of that times 1 - dropout_ratio, in TRAIN and in TEST; default true
            engine, random_seed  change nothing
    """

    only_diffs = True
    fork_fields = ("scale_train", "engine", "random_seed")

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not 0 <= self.p.dropout_ratio < 1:
            raise ShapeError(
                f"dropout_ratio is {self.p.dropout_ratio:g}, not in 0 <= ratio < 1", field="dropout_param.dropout_ratio"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if self.train:
            self.plan = self.ops.dropout(bottom[0].shape, self.p.dropout_ratio, self.dtype)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].data, top[0].data
        if self.train:
            self.plan.forward(x, y, self.context.seed, f"dropout {self.name}", self.context.passes)
        elif y is not x:
            y[...] = x
        self._scale(y)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            dy, dx = top[0].diff, bottom[0].diff
            if self.train:
                self.plan.backward(dy, dx)
            elif dx is not dy:
                dx[...] = dy
            self._scale(dx)

    def _scale(self, y: Any) -> None:
        if not self.p.scale_train:
            y *= 1 - self.p.dropout_ratio
