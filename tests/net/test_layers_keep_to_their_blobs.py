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
        if net._storage.arena is not None:
            net._storage.arena.view(np.float32).fill(np.nan)
        net.forward()
        found += [net.blobs[name].data.copy() for name in net.outputs]
        for name in net.outputs:
            net.blobs[name].diff[...] = 1
        net.clear_diffs()
        net.backward()
        found += [p.blob.diff.copy() for p in net.learnable] + [net.blobs[name].diff.copy() for name in net.inputs]
    return found


def golden(name):
    """A golden layer between others, and the numbers for it."""
    with np.load(FOLDER / f"{name}.npz") as file:
        numbers = dict(file)
    net = text_format.Parse(str(numbers["prototxt"]), schema.NetParameter())
    layer = next(layer for layer in net.layer if layer.name == "L")
    if layer.type not in layer_types():
        pytest.skip(f"layer type {layer.type} is not in netcli yet")
    # A golden net has a Bias layer between some inputs, "x0_in", and the bottoms, "x0".
    inputs = {k.removeprefix("input:").removesuffix("_in"): v for k, v in numbers.items() if k.startswith("input:")}
    numbers.update((f"{bottom}_in", inputs[bottom]) for bottom in layer.bottom)
    del layer.loss_weight[:]
    document = between_others(layer, {bottom: array.shape for bottom, array in inputs.items()})
    return document, {"TRAIN": TRAIN, "TEST": TEST}[str(numbers["phase"])], numbers


NAMES = sorted(path.stem for path in FOLDER.glob("*.npz"))


@pytest.mark.parametrize("engine", ["plain", "auto"])
@pytest.mark.parametrize("name", NAMES)
def test_alone_or_not(name, engine):
    document, phase, numbers = golden(name)
    nets = [Net(document, phase, ops=Ops(engine), seed=1, keep_blobs=kept) for kept in (True, False)]
    assert nets[1].memory.lives or not nets[1].bottoms[nets[1].layer_names.index("L")]
    alone, shared = (results(net, numbers) for net in nets)
    for a, b in zip(alone, shared, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.isnan(b).any()


@pytest.mark.parametrize("engine", ["plain", "auto"])
@pytest.mark.parametrize("name", NAMES)
def test_backward_reads_no_data_but_what_it_says(name, engine):
    document, phase, numbers = golden(name)
    nets = [Net(document, phase, ops=Ops(engine), seed=1, keep_blobs=True) for _ in range(2)]
    found = [gradients(net, numbers, is_poisoned) for net, is_poisoned in zip(nets, (False, True), strict=True)]
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def gradients(net, numbers, is_poisoned):
    """Of the layer L alone, whose other data are NaN by then if `is_poisoned`."""
    i = net.layer_names.index("L")
    layer, bottoms, tops = net.layers[i], net.bottoms[i], net.tops[i]
    for name in net.inputs:
        net.blobs[name].data[...] = numbers[name]
    for index, blob in enumerate(layer.blobs):
        blob.data[...] = numbers[f"param:{index}"]
    net.forward()
    for blob in tops:
        blob.diff.fill(1)
    net.clear_diffs()
    reads_bottoms, reads_tops = layer.backward_reads()
    read = {id(blob.data_buffer) for blob in (*bottoms * reads_bottoms, *tops * reads_tops)}
    for blob in (*bottoms, *tops):
        if is_poisoned and id(blob.data_buffer) not in read:
            blob.data.fill(np.nan)
    net.backward(i, i)
    wanted = zip(bottoms, net.bottom_need_backward[i], strict=True)
    return [blob.diff.copy() for blob, is_wanted in wanted if is_wanted] + [p.blob.diff.copy() for p in net.learnable]
