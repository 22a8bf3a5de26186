"""Which plans layers ask for, and when."""

import pytest

from netcli.arrays.choices import Choices
from netcli.arrays.ops import Ops
from netcli.layers.base import TEST
from netcli.net import Net
from netcli.prototxt import parse, schema

NET = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 4 dim: 6 dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv" convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "up" type: "Deconvolution" bottom: "conv" top: "up"
        convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "norm" type: "LRN" bottom: "up" top: "norm" }
layer { name: "pool" type: "Pooling" bottom: "norm" top: "pool" pooling_param { kernel_size: 2 stride: 2 } }
"""


class Asked(Ops):
    """Notes what it is asked for."""

    def __init__(self):
        super().__init__("plain")
        self.plans = []

    def _plan(self, op, *args):
        self.plans.append((op, args))
        return super()._plan(op, *args)

    def take(self, op):
        """The arguments of the plans of an op asked for since the last call."""
        found = [args for name, args in self.plans if name == op]
        self.plans = [plan for plan in self.plans if plan[0] != op]
        return found


def choices(plans):
    """Those that plans are given, of the arguments that each is made with."""
    return [next((each for each in args if isinstance(each, Choices)), None) for args in plans]


def built(**options):
    ops = Asked()
    return Net(parse(NET, schema.NetParameter), TEST, ops=ops, keep_blobs=True, **options), ops


def reshape(net, *shape):
    net.blobs["x"].reshape(shape)
    net.reshape()


def test_filters_are_chosen_for_the_shape_at_set_up_and_ruled_for_others():
    net, ops = built()
    chosen = choices(ops.take("conv"))
    assert chosen == [ops.choices] * 2
    reshape(net, 2, 4, 6, 6)
    assert not ops.take("conv")
    reshape(net, 3, 4, 6, 7)
    assert choices(ops.take("conv")) == [None, None]
    reshape(net, 2, 4, 6, 6)
    assert choices(ops.take("conv")) == chosen


@pytest.mark.parametrize("gradients", [False, True])
def test_what_only_backward_needs_is_kept_where_there_is_one(gradients):
    _, ops = built(gradients=gradients)
    for op in ("pool", "lrn"):
        assert [args[-1] for args in ops.take(op)] == [gradients]
