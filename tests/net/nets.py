"""Nets from prototxt texts."""

import numpy as np
import pytest
from google.protobuf import text_format

from netcli.arrays.ops import Ops
from netcli.errors import NetcliError
from netcli.layers.base import TEST, TRAIN
from netcli.net import Net
from netcli.prototxt import schema
from netcli.prototxt.lines import Document


def document(text):
    return Document(text_format.Parse(text, schema.NetParameter()))


def net(text, phase=TRAIN, **options):
    """A net that computes with the plain bodies, unless it is given others."""
    return Net(document(text), phase, **{"ops": Ops("plain"), **options})


def refusal(text, phase=TRAIN, **options):
    """The sentence a net is refused with."""
    with pytest.raises(NetcliError) as caught:
        net(text, phase, **options)
    return str(caught.value)


def data(top, *shape, filler="gaussian"):
    """A DummyData layer."""
    dims = " ".join(f"dim: {size}" for size in shape)
    return (
        f"layer {{ name: '{top}' type: 'DummyData' top: '{top}' "
        f"dummy_data_param {{ shape {{ {dims} }} data_filler {{ type: '{filler}' value: 1 }} }} }}\n"
    )


def layer(type, name, bottoms="", tops=None, rest=""):
    """A layer; bottoms and tops are words, the top is called as the layer unless said otherwise."""
    lines = [f"bottom: '{bottom}'" for bottom in bottoms.split()]
    lines += [f"top: '{top}'" for top in (name if tops is None else tops).split()]
    return f"layer {{ name: '{name}' type: '{type}' {' '.join(lines)} {rest} }}\n"


def fill(net, seed=0):
    """Put random numbers into a net's inputs, and small positive ones into its parameters."""
    rng = np.random.default_rng(seed)
    for name in net.inputs:
        net.blobs[name].data[...] = rng.standard_normal(net.blobs[name].shape)
    for parameter in net.learnable:
        parameter.blob.data[...] = rng.uniform(0.01, 0.1, parameter.blob.shape)


__all__ = ["TEST", "TRAIN", "data", "document", "fill", "layer", "net", "refusal"]
