"""Exponential linear unit.

Clevert, Unterthiner & Hochreiter, "Fast and Accurate Deep Network Learning by Exponential Linear
Units", ICLR 2016, arXiv:1511.07289.  Same results as Caffe's elu_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.layers.base import Layer, layer


@layer("ELU", param="elu_param")
class ELU(Layer):
    """y = x where x > 0, alpha * (exp(x) - 1) elsewhere.

    bottom  x      any shape
    top     y      shape of x; may be x itself
    param   alpha  -y as x falls; default 1; in place it should be >= 0, for then y keeps the sign of x
    """

    in_place = True

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        return bottom_shapes

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.plan = self.ops.activation("elu", bottom[0].shape, self.p.alpha, self.dtype)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.plan.forward(bottom[0].data, top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            self.plan.backward(bottom[0].data, top[0].data, top[0].diff, bottom[0].diff)
