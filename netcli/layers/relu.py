"""Rectified linear unit.

Nair & Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines", ICML 2010; with a slope below zero:
Maas, Hannun & Ng, "Rectifier Nonlinearities Improve Neural Network Acoustic Models", ICML 2013.
Same results as Caffe's relu_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence

from netcli.blob import Blob
from netcli.layers.base import layer
from netcli.layers.neuron import Activation


@layer("ReLU", param="relu_param")
class ReLU(Activation):
    """y = x where x > 0, negative_slope * x elsewhere.

    bottom  x               any shape
    top     y               shape of x; may be x itself
    param   negative_slope  default 0; in place it should be >= 0, for then y keeps the sign of x
            engine, fuse    change nothing
    """

    fork_fields = ("fuse",)

    kind = "relu"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.alpha = self.p.negative_slope
