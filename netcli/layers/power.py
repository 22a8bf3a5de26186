"""A power of a linear function.  Same results as Caffe's power_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.blob import Blob
from netcli.layers.base import layer
from netcli.layers.neuron import Neuron


@layer("Power", param="power_param")
class Power(Neuron):
    """y = (shift + scale * x) ** power.

    bottom  x      any shape
    top     y      shape of x; may be x itself
    param   power  default 1
            scale  default 1
            shift  default 0

    With power or scale 0, y is a constant and its gradient 0, whatever x is.  Where shift + scale * x = 0, Caffe
    divides 0 by 0 in backward unless power is 1 or 2; here the derivative has its own value, such as 0 for power 3.
    """

    reads_bottom = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.power, self.scale, self.shift = self.p.power, self.p.scale, self.p.shift
        self.slope = self.power * self.scale

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if self.context.gradients and self.power != 1:
            self.work.reshape(bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        y = top[0].data
        if self.slope == 0:
            y.fill(self.shift)
            self._raise_to(self.power, y)
            return
        if self.power != 1:
            self.keep(bottom, top)
        self._base(bottom[0].data, y)
        self._raise_to(self.power, y)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        if self.slope == 0 or self.power == 1:
            self.xp.multiply(top[0].diff, self.slope, out=bottom[0].diff)
            return
        derivative = self.work.data
        self._base(self.kept(bottom, top), derivative)
        self._raise_to(self.power - 1, derivative)
        derivative *= self.slope
        self.xp.multiply(top[0].diff, derivative, out=bottom[0].diff)

    def _base(self, x: Any, out: Any) -> None:
        self.xp.multiply(x, self.scale, out=out)
        if self.shift != 0:
            out += self.shift

    def _raise_to(self, power: float, y: Any) -> None:
        if power == 2:
            self.xp.square(y, out=y)
        elif power != 1:
            self.xp.power(y, power, out=y)
