"""Exponential linear unit.

Clevert, Unterthiner & Hochreiter, "Fast and Accurate Deep Network Learning by Exponential Linear
Units", ICLR 2016, arXiv:1511.07289.  Same results as Caffe's elu_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence

from netcli.blob import Blob
from netcli.layers.base import layer
from netcli.layers.neuron import Activation


@layer("ELU", param="elu_param")
class ELU(Activation):
    """y = x where x > 0, alpha * (exp(x) - 1) elsewhere.

    bottom  x      any shape
    top     y      shape of x; may be x itself
    param   alpha  -y as x falls; default 1; in place it should be >= 0, for then y keeps the sign of x
    """

    kind = "elu"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.alpha = self.p.alpha
