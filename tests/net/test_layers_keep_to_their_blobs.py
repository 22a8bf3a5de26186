"""Every layer in a net whose blobs share memory, full of NaN before each pass, computes what it does alone.

A layer that looked at blobs which are not its own, counted on zeros in a top, or left a part of one unwritten would
be found here.  The layers are those of tests/golden/layers; Power layers around each make its bottoms and tops blobs
that share.
"""

from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from net.nets import TEST, TRAIN
from netcli.arrays.ops import Ops
from netcli.layers.registry import layer_types
from netcli.net import Net
from netcli.prototxt import schema
from netcli.prototxt.lines import Document

FOLDER = Path(__file__).parents[1] / "golden" / "layers"


def between_others(layer, shapes):
    """A net of Input layers, a Power layer for each bottom, the layer, and a Power layer for each top."""
    net = schema.NetParameter(force_backward=True)
    bottoms = dict.fromkeys(layer.bottom)
    for name in bottoms:
        source = net.layer.add(name=f"{name}_in", type="Input", top=[f"{name}_in"])
        source.input_param.shape.add(dim=shapes[name])
        net.layer.add(name=name, type="Power", bottom=[f"{name}_in"], top=[name])
    net.layer.add().CopyFrom(layer)
    for name in layer.top:
        net.layer.add(name=f"{name}_out", type="Power", bottom=[name], top=[f"{name}_out"])
    return Document(net)


def results(net, numbers):
    for name in net.inputs:
        net.blobs[name].data[...] = numbers[name]
    for index, blob in enumerate(net.params.get("L", [])):
        blob.data[...] = numbers[f"param:{index}"]
    found = []
    for _ in range(2):
        if net._arena is not None:
            net._arena.view(np.float32).fill(np.nan)
        net.forward()
        found += [net.blobs[name].data.copy() for name in net.outputs]
        for name in net.outputs:
            net.blobs[name].diff[...] = 1
        net.clear_diffs()
        net.backward()
        found += [p.blob.diff.copy() for p in net.learnable] + [net.blobs[name].diff.copy() for name in net.inputs]
    return found


@pytest.mark.parametrize("engine", ["plain", "auto"])
@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.npz")))
def test_alone_or_not(name, engine):
    with np.load(FOLDER / f"{name}.npz") as file:
        numbers = dict(file)
    golden = text_format.Parse(str(numbers["prototxt"]), schema.NetParameter())
    layer = next(layer for layer in golden.layer if layer.name == "L")
    if layer.type not in layer_types():
        pytest.skip(f"layer type {layer.type} is not in netcli yet")
    # A golden net has a Bias layer between some inputs, "x0_in", and the bottoms, "x0".
    inputs = {k.removeprefix("input:").removesuffix("_in"): v for k, v in numbers.items() if k.startswith("input:")}
    numbers.update((f"{bottom}_in", inputs[bottom]) for bottom in layer.bottom)
    del layer.loss_weight[:]
    document = between_others(layer, {bottom: array.shape for bottom, array in inputs.items()})
    phase = {"TRAIN": TRAIN, "TEST": TEST}[str(numbers["phase"])]
    nets = [Net(document, phase, ops=Ops(engine), seed=1, keep_blobs=kept) for kept in (True, False)]
    assert nets[1].memory.lives or not layer.bottom
    alone, shared = (results(net, numbers) for net in nets)
    for a, b in zip(alone, shared, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.isnan(b).any()
