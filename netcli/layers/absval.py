"""Absolute value.  Same results as Caffe's absval_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.blob import Blob
from netcli.layers.base import layer
from netcli.layers.neuron import Neuron


@layer("AbsVal")
class AbsVal(Neuron):
    """y = |x|, with derivative 0 at 0.

    bottom  x  any shape
    top     y  shape of x; not x itself, whose signs backward needs
    """

    in_place = False

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.xp.abs(bottom[0].data, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            dx = bottom[0].diff
            self.xp.sign(bottom[0].data, out=dx)
            dx *= top[0].diff
