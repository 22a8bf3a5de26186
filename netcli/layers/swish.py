"""Swish, also called SiLU.

Ramachandran, Zoph & Le, "Searching for Activation Functions", 2017, arXiv:1710.05941.
Same results as Caffe's swish_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence

from netcli.blob import Blob
from netcli.layers.base import layer
from netcli.layers.neuron import Neuron


@layer("Swish", param="swish_param")
class Swish(Neuron):
    """y = x * sigmoid(beta * x).

    bottom  x     any shape
    top     y     shape of x; may be x itself
    param   beta  default 1
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.gate = Blob((), self.dtype, device=self.context.device)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.gate.reshape(bottom[0].shape)
        if self.context.gradients:
            self.work.reshape(bottom[0].shape)
        self.sigmoid = self.ops.activation("sigmoid", bottom[0].shape, 0.0, self.dtype)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, gate = bottom[0].data, self.gate.data
        self.xp.multiply(x, self.p.beta, out=gate)
        self.sigmoid.forward(gate, gate)
        self.xp.multiply(x, gate, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            # dy/dx = beta * y + gate * (1 - beta * y) = gate + beta * y * (1 - gate)
            slope, gate = self.work.data, self.gate.data
            self.xp.subtract(1, gate, out=slope)
            slope *= top[0].data
            slope *= self.p.beta
            slope += gate
            self.xp.multiply(top[0].diff, slope, out=bottom[0].diff)
