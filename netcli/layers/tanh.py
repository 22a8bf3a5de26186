"""Hyperbolic tangent.  Same results as Caffe's tanh_layer.cpp."""

from __future__ import annotations

from netcli.layers.base import layer
from netcli.layers.neuron import Activation


@layer("TanH", param="tanh_param")
class TanH(Activation):
    """y = tanh(x).

    bottom  x       any shape
    top     y       shape of x, in -1..1; may be x itself
    param   engine  changes nothing
    """

    kind = "tanh"
