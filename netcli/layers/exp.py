"""Exponential function.  Same results as Caffe's exp_layer.cpp."""

from __future__ import annotations

import math
from collections.abc import Sequence

from netcli.blob import Blob
from netcli.layers.base import layer
from netcli.layers.log_base import log_base
from netcli.layers.neuron import Neuron


@layer("Exp", param="exp_param")
class Exp(Neuron):
    """y = base ** (shift + scale * x).

    bottom  x      any shape
    top     y      shape of x; may be x itself
    param   base   above 0; default -1, which stands for e
            scale  default 1
            shift  default 0
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        log = log_base(self.p.base, "exp_param.base")
        self.inner = log * self.p.scale  # y = outer * exp(inner * x)
        self.outer = math.exp(log * self.p.shift)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        y = top[0].data
        self.xp.multiply(bottom[0].data, self.inner, out=y)
        self.xp.exp(y, out=y)
        if self.outer != 1:
            y *= self.outer

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            dx = bottom[0].diff
            self.xp.multiply(top[0].diff, top[0].data, out=dx)
            dx *= self.inner
