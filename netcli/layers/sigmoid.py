"""Logistic sigmoid.  Same results as Caffe's sigmoid_layer.cpp."""

from __future__ import annotations

from netcli.layers.base import layer
from netcli.layers.neuron import Activation


@layer("Sigmoid", param="sigmoid_param")
class Sigmoid(Activation):
    """y = 1 / (1 + exp(-x)).

    bottom  x       any shape
    top     y       shape of x, in 0..1; may be x itself
    param   engine  changes nothing
    """

    kind = "sigmoid"
