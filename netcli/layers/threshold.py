"""A step.  Same results as Caffe's threshold_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.blob import Blob
from netcli.layers.base import layer
from netcli.layers.neuron import Neuron


@layer("Threshold", param="threshold_param")
class Threshold(Neuron):
    """y = 1 where x > threshold, 0 elsewhere; no gradient.

    bottom  x          any shape
    top     y          shape of x; may be x itself
    param   threshold  default 0
    """

    no_gradient = None

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.xp.greater(bottom[0].data, self.p.threshold, out=top[0].data)
