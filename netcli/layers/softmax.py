"""Softmax.  Same results as Caffe's softmax_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.blob import Blob
from netcli.layers.base import layer
from netcli.layers.neuron import Neuron


@layer("Softmax", param="softmax_param")
class Softmax(Neuron):
    """y = exp(x) / sum(exp(x)) along an axis.

    bottom  x       any shape
    top     y       shape of x; may be x itself
    param   axis    default 1
            engine  changes nothing
    """

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        axis = self.axis(self.p.axis, len(shape), "softmax_param.axis")
        super().reshape(bottom, top)
        self.plan = self.ops.softmax(shape, axis, self.dtype)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.plan.forward(bottom[0].data, top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            self.plan.backward(top[0].data, top[0].diff, bottom[0].diff)
