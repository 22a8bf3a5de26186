"""Python layers in nets: beside layers that look at the same memory, in place, shaped in forward, sharing weights."""

import os
from pathlib import Path

import numpy as np
import pytest

from net.nets import TEST, TRAIN, data, document, fill, layer, net
from net.test_plan_changes_nothing import results
from netcli.arrays.ops import Ops
from netcli.errors import NetcliError
from netcli.net import Net
from netcli.prototxt import read_net
from netcli.snapshots import read_weights

IMAGES = (2, 4, 3, 5)
CONV = "convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: 'xavier' } }"


def python(cls, name, bottoms="", tops=None, param_str="", rest=""):
    settings = f"python_param {{ module: 'users_layers' layer: '{cls}' param_str: '{param_str}' }} {rest}"
    return layer("Python", name, bottoms, tops, settings)


def same(text, reference, engine="plain", phase=TRAIN):
    """Two nets compute the same numbers, each with blobs that share memory and with blobs that do not."""
    found = []
    for each in (text, reference):
        for keep in (True, False):
            made = net(each, phase, ops=Ops(engine), seed=3, keep_blobs=keep, allow_python=True)
            found.append(results(made, passes=3))
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_allclose(b.reshape(a.shape), a, rtol=1e-4, atol=1e-5)
            assert not np.isnan(b).any()


START = data("x", *IMAGES) + data("t", *IMAGES) + layer("Convolution", "c", "x", rest=CONV)
END = layer("Convolution", "d", "p", rest=CONV) + layer("EuclideanLoss", "loss", "d t")
TWICE = "power_param { scale: 2 }"


@pytest.mark.parametrize("engine", ["plain", "auto"])
@pytest.mark.parametrize(
    ("python_way", "plain_way"),
    [
        (python("Scaled", "p", "c", param_str="2"), layer("Power", "p", "c", rest=TWICE)),
        # in place, over and under layers in place
        (
            layer("ReLU", "r", "c", "c") + python("Scaled", "s", "c", "c", "2") + layer("ELU", "p", "c"),
            layer("ReLU", "r", "c", "c") + layer("Power", "s", "c", "c", TWICE) + layer("ELU", "p", "c"),
        ),
        # of a split, whose tops are one memory
        (
            python("Scaled", "s", "c", param_str="2") + layer("Eltwise", "p", "c s"),
            layer("Power", "s", "c", rest=TWICE) + layer("Eltwise", "p", "c s"),
        ),
        # behind and before what shares memory between shapes
        (
            layer("Reshape", "a", "c", rest="reshape_param { shape { dim: 2 dim: 4 dim: 3 dim: 5 } }")
            + python("Scaled", "s", "a", param_str="2")
            + layer("Flatten", "f", "s")
            + python("Scaled", "g", "f", param_str="0.5")
            + layer("Reshape", "p", "g", rest="reshape_param { shape { dim: 2 dim: 4 dim: 3 dim: 5 } }"),
            layer("Power", "p", "c"),
        ),
        (layer("Concat", "a", "c") + python("Scaled", "p", "a", param_str="2"), layer("Power", "p", "c", rest=TWICE)),
    ],
    ids=["alone", "in place", "split", "restated", "shared"],
)
def test_computes_what_a_layer_of_ours_does(python_way, plain_way, engine):
    same(START + python_way + END, START + plain_way + END, engine)


def test_a_loss_and_its_weight():
    inputs = data("x", 2, 4, 3, 5) + data("t", 2, 4, 3, 5) + layer("Convolution", "p", "x", rest=CONV)
    weight = "loss_weight: 0.5"
    same(
        inputs + python("Distance", "loss", "p t", rest=weight),
        inputs + layer("EuclideanLoss", "loss", "p t", rest=weight),
    )


def test_a_parameter_shared_by_name_sums_its_gradients():
    param = "param { name: 'w' } param { name: 'b' }"
    chain = data("x", *IMAGES) + data("t", *IMAGES)
    text = chain + python("Affine", "a", "x", rest=param) + python("Affine", "e", "a", rest=param)
    made = net(text + layer("EuclideanLoss", "loss", "e t"), allow_python=True, keep_blobs=True)
    assert [(p.layer, p.index) for p in made.learnable] == [("a", 0), ("a", 1)]
    np.testing.assert_array_equal(made.params["e"][0].data, [1, 2, 3, 4])
    made.clear_diffs()
    made.forward()
    made.backward()
    x, a, e, t = (made.blobs[name].data.astype(np.float64) for name in ("x", "a", "e", "t"))
    w = np.arange(1, 5).reshape(1, 4, 1, 1)
    de = (e - t) / 2
    dw = (de * a + w * de * x).sum((0, 2, 3))
    np.testing.assert_allclose(made.params["a"][0].diff, dw, rtol=1e-4)
    made.clear_diffs()
    assert not made.params["a"][0].diff.any()


def test_a_parameter_that_does_not_learn_gets_no_gradient():
    text = data("x", *IMAGES) + data("t", *IMAGES) + python("Affine", "a", "x", rest="param { lr_mult: 0 }")
    made = net(text + layer("EuclideanLoss", "loss", "a t"), allow_python=True)
    made.forward()
    made.backward()
    assert not made.params["a"][0].diff.any()
    assert made.params["a"][1].diff.any()


@pytest.mark.parametrize("keep", [True, False])
def test_a_top_shaped_in_forward(keep):
    text = START + python("Positive", "p", "c") + layer("Flatten", "f", "p")
    text += layer("Reduction", "loss", "f", rest="reduction_param { operation: SUMSQ } loss_weight: 1")
    made = net(text, allow_python=True, keep_blobs=keep, seed=2)
    sizes = set()
    for seed in range(6):
        fill(made, seed)
        made.params["c"][0].data[...] = np.random.default_rng(seed).standard_normal((4, 4, 3, 3))
        made.clear_diffs()
        loss = made.forward()
        sizes.add(made.blobs["p"].shape[0])
        np.testing.assert_allclose(loss, (made.blobs["f"].data ** 2).sum(), rtol=1e-5)
        made.backward()
        assert np.isfinite(made.params["c"][0].diff).all()
    assert len(sizes) > 1


def test_a_source_that_changes_its_shape():
    text = python("Counter", "x") + layer("Convolution", "c", "x", rest=CONV) + layer("ReLU", "y", "c")
    made = net(text, TEST, allow_python=True)
    assert [made.forward() is not None and made.blobs["y"].shape[0] for _ in range(4)] == [3, 1, 2, 3]


def test_its_parameters_are_saved_and_loaded(tmp_path):
    text = data("x", *IMAGES) + python("Affine", "a", "x")
    made = net(text, allow_python=True)
    made.params["a"][1].data[...] = 7
    made.save(str(tmp_path / "a.caffemodel"))
    other = net(text, allow_python=True)
    assert other.load(read_weights(str(tmp_path / "a.caffemodel"))) == []
    np.testing.assert_array_equal(other.params["a"][1].data, 7)
    tests = Net(document(text), TEST, allow_python=True, shared_with=made)
    assert np.shares_memory(tests.params["a"][1].data, made.params["a"][1].data)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc to read the memory in use from")
def test_a_look_at_shapes_uses_no_memory():
    """`bottom[0].data.shape` in reshape, as pycaffe's own examples have it: a program that asks for shapes alone."""

    def in_use():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    text = data("x", 200, 100, 100, 100, filler="constant") + python("Scaled", "p", "x", param_str="2")
    before = in_use()
    made = Net(document(text), TEST, allow_python=True, dry=True)
    assert made.blobs["p"].shape == (200, 100, 100, 100)  # 800 MB
    assert in_use() - before < 100e6


def test_a_fault_knows_its_place(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(data("x", 2, 3) + layer("InnerProduct", "i", "x", rest="inner_product_param { num_output: 3 }"))
    with path.open("a") as file:
        file.write(python("Phase", "p", "i", rest="loss_weight: 1"))
    with pytest.raises(NetcliError) as caught:
        Net(read_net(str(path)), TRAIN)
    assert str(caught.value) == (
        f"{path}:3: layer 'p' (Python): the net wants to run the Python module 'users_layers'; "
        "give --allow-python if you trust its code"
    )
    made = Net(read_net(str(path)), TRAIN, allow_python=True)
    made.forward()
    with pytest.raises(NetcliError) as caught:
        made.backward()
    assert str(caught.value).startswith(f"{path}:3: layer 'p' (Python): class 'Phase' of module 'users_layers' has no ")
