"""Binomial normal log likelihood, also called softplus.  Same results as Caffe's bnll_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.blob import Blob
from netcli.layers.base import layer
from netcli.layers.neuron import Neuron


@layer("BNLL")
class BNLL(Neuron):
    """y = log(1 + exp(x)).

    bottom  x  any shape
    top     y  shape of x; may be x itself
    """

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if self.context.gradients:
            self.work.reshape(bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.xp.logaddexp(bottom[0].data, 0, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            # The derivative is exp(x) / (1 + exp(x)) = 1 - exp(-y), so that x may be gone.
            slope = self.work.data
            self.xp.negative(top[0].data, out=slope)
            self.xp.expm1(slope, out=slope)
            slope *= -1
            self.xp.multiply(top[0].diff, slope, out=bottom[0].diff)
