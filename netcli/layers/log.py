"""Logarithm.  Same results as Caffe's log_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import layer
from netcli.layers.log_base import log_base
from netcli.layers.neuron import Neuron


@layer("Log", param="log_param")
class Log(Neuron):
    """y = log(shift + scale * x) to `base`.

    bottom  x      any shape
    top     y      shape of x; may be x itself
    param   base   above 0 and not 1; default -1, which stands for e
            scale  default 1
            shift  default 0
    """

    reads_bottom = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.log_base = log_base(self.p.base, "log_param.base")
        if self.log_base == 0:
            raise ShapeError("base is 1, to which there is no logarithm", field="log_param.base")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if self.context.gradients:
            self.work.reshape(bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        y = top[0].data
        self.keep(bottom, top)
        self._argument(bottom[0].data, y)
        self.xp.log(y, out=y)
        if self.log_base != 1:
            y /= self.log_base

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            slope = self.work.data
            self._argument(self.kept(bottom, top), slope)
            self.xp.divide(self.p.scale / self.log_base, slope, out=slope)
            self.xp.multiply(top[0].diff, slope, out=bottom[0].diff)

    def _argument(self, x: Any, out: Any) -> None:
        self.xp.multiply(x, self.p.scale, out=out)
        if self.p.shift != 0:
            out += self.p.shift
