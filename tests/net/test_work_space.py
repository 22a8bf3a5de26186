"""What is foretold of a net's memory, beside what its passes take of NumPy, which reports its arrays to tracemalloc."""

import gc
import tracemalloc

import numpy as np
import pytest

from arrays.onednn_arrays import needs_onednn, there
from net.nets import document, layer
from netcli.arrays.onednn.memory import scratch
from netcli.arrays.ops import Ops
from netcli.errors import NetcliError
from netcli.layers.base import TEST, TRAIN
from netcli.net import Net

XAVIER = "weight_filler { type: 'xavier' }"


def source(top, *shape):
    dims = " ".join(f"dim: {size}" for size in shape)
    return layer("Input", top, rest=f"input_param {{ shape {{ {dims} }} }}")


def conv(name, bottom, more="", type="Convolution"):
    settings = more or "kernel_size: 3 pad: 1"
    return layer(type, name, bottom, rest=f"convolution_param {{ num_output: 32 {settings} {XAVIER} }}")


def loss(bottom, axis=1):
    ip = f"inner_product_param {{ num_output: 10 axis: {axis} {XAVIER} }}"
    rest = f"softmax_param {{ axis: {axis} }}"
    return layer("InnerProduct", "ip", bottom, rest=ip) + layer("SoftmaxWithLoss", "loss", "ip label", rest=rest)


IMAGES = source("data", 16, 3, 32, 32) + source("label", 16)
NETS = {
    "alex": IMAGES
    + conv("conv1", "data")
    + layer("ReLU", "relu1", "conv1", "conv1")
    + layer("LRN", "norm", "conv1", rest="lrn_param { local_size: 5 alpha: 0.1 }")
    + layer("Pooling", "pool", "norm", rest="pooling_param { kernel_size: 3 stride: 2 }")
    + conv("conv2", "pool", "kernel_size: 5 group: 2")
    + layer("InnerProduct", "fc", "conv2", rest=f"inner_product_param {{ num_output: 200 {XAVIER} }}")
    + layer("ReLU", "relu2", "fc", "fc")
    + layer("Dropout", "drop", "fc", "fc")
    + loss("fc"),
    "residual": IMAGES
    + conv("conv1", "data")
    + layer("BatchNorm", "bn1", "conv1", "conv1")
    + layer("Scale", "scale1", "conv1", "conv1", "scale_param { bias_term: true }")
    + layer("ReLU", "relu1", "conv1", "conv1")
    + conv("conv2", "conv1")
    + layer("BatchNorm", "bn2", "conv2", "conv2")
    + layer("Eltwise", "sum", "conv1 conv2")
    + layer("PReLU", "prelu", "sum", "sum")
    + layer("Pooling", "pool", "sum", rest="pooling_param { pool: AVE global_pooling: true }")
    + loss("pool"),
    "others": IMAGES
    + conv("conv1", "data", "kernel_size: 3 pad: 1 stride: 2")
    + conv("up", "conv1", "kernel_size: 4 stride: 2 pad: 1", "Deconvolution")
    + layer("ELU", "elu", "up")
    + layer("Power", "power", "elu", "elu", "power_param { power: 2 }")
    + layer("SPP", "spp", "elu", rest="spp_param { pyramid_height: 3 }")
    + loss("spp"),
    "recurrent": source("data", 20, 16, 64)
    + source("cont", 20, 16)
    + source("label", 20, 16)
    + layer("LSTM", "lstm", "data cont", rest=f"recurrent_param {{ num_output: 64 {XAVIER} }}")
    + loss("lstm", axis=2),
}


TRIFLE = 16 << 10  # bytes: arrays of a channel's length, labels, numbers
OBJECTS = 256 << 10  # bytes: what else Python takes
WITH_TEMPORARIES = ("others",)  # of layers that compute by NumPy


def foretold(text, phase, ops):
    """What is planned, in bytes, and the work space."""
    net = Net(document(text), phase, ops=ops, constant=phase == TEST, dry=True)
    return net.memory.total, net.work_space()


def taken(text, phase, ops):
    """Bytes of arrays after some passes, and of all that Python took at the peak."""
    net = Net(document(text), phase, ops=ops)  # so that nothing is counted that is loaded or compiled once
    net.forward()
    if phase == TRAIN:
        net.backward()
    del net
    gc.collect()
    tracemalloc.start()
    try:
        net = Net(document(text), phase, ops=ops, constant=phase == TEST)
        for _ in range(2):
            net.clear_diffs()
            net.forward()
            if phase == TRAIN:
                net.backward()
        arrays = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
        traces = tracemalloc.take_snapshot().filter_traces([arrays]).traces
        return sum(trace.size for trace in traces), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(autouse=True)
def no_timing(monkeypatch):
    monkeypatch.setenv("NETCLI_TIMING", "off")


def ops_of(engine, precision):
    try:
        return Ops(engine, precision=precision)
    except NetcliError as fault:
        pytest.skip(str(fault))


@pytest.mark.parametrize("precision", ["f32", "bf16"])
@pytest.mark.parametrize("engine", ["auto", "plain"])
@pytest.mark.parametrize("phase", [TRAIN, TEST])
@pytest.mark.parametrize("name", NETS)
def test_the_memory_foretold_is_the_memory_taken(name, phase, engine, precision):
    plan, work = foretold(NETS[name], phase, ops_of(engine, precision))
    arrays, peak = taken(NETS[name], phase, ops_of(engine, precision))
    # oneDNN's work space lasts; that of the plain bodies is NumPy's, and gone when a method returns.
    lasts = work.passing if engine == "auto" and there() else 0
    assert arrays == pytest.approx(plan + work.kept + lasts, rel=0.01, abs=TRIFLE)
    if name not in WITH_TEMPORARIES:
        assert peak == pytest.approx(plan + work.kept + work.passing, rel=0.1, abs=OBJECTS)


@needs_onednn
def test_gradients_that_are_summed_take_work_space():
    net = Net(document(NETS["alex"]), TRAIN, dry=True)
    weights = 32 * 11 * 11 * 200 * 4
    assert net.work_space(add=True).passing >= weights > net.work_space().passing


def test_nothing_is_taken_by_foretelling():
    net = Net(document(NETS["alex"]), TRAIN, dry=True)
    net.work_space()
    parameters = [parameter.blob for parameter in net.learnable]
    assert all(blob.data_buffer.array is None for blob in (*net.blobs.values(), *parameters))
    assert scratch().nbytes == 0


@needs_onednn
def test_scratch_memory_that_was_given_back_is_taken_anew():
    """By every program, wherever it lies then."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((4, 3, 30, 30), np.float32), rng.standard_normal((8, 3, 5, 5), np.float32)
    large = Ops().conv(x.shape, 8, (5, 5), (1, 1), (2, 2), (1, 1), 1, False)
    small = Ops().conv((1, 3, 9, 9), 8, (5, 5), (1, 1), (2, 2), (1, 1), 1, False)
    dw, of_small = np.empty_like(w), np.empty_like(w)
    dy = np.ones((4, 8, 30, 30), np.float32)
    large.backward_weights(x, dy, dw, None, False)
    first = dw.copy()
    for _ in range(3):
        scratch().release()
        small.backward_weights(x[:1, :, :9, :9], dy[:1, :, :9, :9], of_small, None, False)
        large.backward_weights(x, dy, dw, None, False)
        np.testing.assert_array_equal(dw, first)
