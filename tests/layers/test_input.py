import numpy as np
from google.protobuf import text_format

from checks import refusal
from netcli.blob import Blob
from netcli.layers.base import Context
from netcli.layers.registry import layer_class
from netcli.prototxt import schema


def make(inside, tops):
    message = text_format.Parse(f"name: 'L' type: 'Input' {inside}", schema.LayerParameter())
    layer, top = layer_class("Input")(message, Context()), [Blob() for _ in range(tops)]
    layer.setup([], top)
    layer.reshape([], top)
    return layer, top


def test_one_shape_for_all_tops():
    _, top = make("input_param { shape { dim: 2 dim: 3 dim: 4 dim: 5 } }", 2)
    assert [t.shape for t in top] == [(2, 3, 4, 5)] * 2


def test_a_shape_for_each_top():
    _, top = make("input_param { shape { dim: 2 dim: 3 } shape { } }", 2)
    assert [t.shape for t in top] == [(2, 3), ()]


def test_without_a_shape_the_program_gives_it():
    layer, top = make("", 1)
    top[0].reshape((2, 3))
    top[0].data[...] = np.arange(6).reshape(2, 3)
    layer.reshape([], top)
    layer.forward([], top)
    layer.backward(top, [], [])
    np.testing.assert_array_equal(top[0].data, np.arange(6).reshape(2, 3))


def test_a_program_may_change_the_shape():
    layer, top = make("input_param { shape { dim: 2 dim: 3 } }", 1)
    top[0].reshape((5, 3))
    layer.reshape([], top)
    assert top[0].shape == (5, 3)


def test_refusals():
    assert refusal("type: 'Input' input_param { shape { dim: 1 } shape { dim: 2 } }", [], tops=3) == (
        "shape is given 2 times for 3 tops; give one for each, one for all, or none"
    )
    assert refusal("type: 'Input' input_param { shape { dim: 1 dim: -2 } }", []) == "shape (1, -2) has a size below 0"
