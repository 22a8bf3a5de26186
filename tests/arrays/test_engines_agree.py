"""200 random layers of the heavy kinds give the same numbers, forward and backward, with either engine."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from arrays.onednn_arrays import close, needs_onednn
from netcli.arrays.ops import Ops
from netcli.layers.base import TRAIN
from netcli.net import Net
from netcli.prototxt import parse, schema

sizes = st.integers(1, 4)


some_channels = st.sampled_from([1, 2, 3, 5, 8, 16, 24, 33])


def shapes(least, channels=some_channels):
    """(N, C, H, W), no smaller than `least` along the last two axes."""
    spatial = [st.integers(low, low + 9) for low in least]
    return st.tuples(st.integers(1, 3), channels, *spatial)


@st.composite
def filters(draw, layer):
    """Convolution and Deconvolution; weights and biases are random."""
    group = draw(st.sampled_from([1, 1, 2, 4]))
    kernel, stride, dilation = ([draw(sizes), draw(sizes)] for _ in range(3))
    pad = [draw(st.integers(0, 2)) for _ in kernel]
    extents = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if layer == "Convolution":
        least = [max(1, e - 2 * p) for e, p in zip(extents, pad, strict=True)]
    else:  # out = stride (in - 1) + extent - 2 pad
        least = [1 + max(0, -((e - 2 * p - 1) // s)) for e, p, s in zip(extents, pad, stride, strict=True)]
    channels = st.integers(1, 9).map(lambda each: each * group)
    settings = [("num_output", group * draw(st.sampled_from([1, 3, 8, 12]))), ("group", group)]
    for name, pair in (("kernel_size", kernel), ("stride", stride), ("pad", pad), ("dilation", dilation)):
        settings += [(name, each) for each in pair]
    settings.append(("bias_term", str(draw(st.booleans())).lower()))
    filler = 'weight_filler { type: "gaussian" std: 1 } bias_filler { type: "gaussian" std: 1 }'
    return draw(shapes(least, channels)), layer, f"convolution_param {{ {_text(settings)} {filler} }}"


@st.composite
def pools(draw):
    kernel = [draw(sizes), draw(sizes)]
    pad = [draw(st.integers(0, k - 1)) for k in kernel]
    pairs = {"kernel": kernel, "pad": pad, "stride": [draw(sizes), draw(sizes)]}
    settings = [(f"{name}_{side}", each) for name, pair in pairs.items() for side, each in zip("hw", pair, strict=True)]
    settings += [
        ("pool", draw(st.sampled_from(["MAX", "AVE"]))),
        ("round_mode", draw(st.sampled_from(["CEIL", "FLOOR"]))),
    ]
    return draw(shapes(kernel)), "Pooling", f"pooling_param {{ {_text(settings)} }}"


@st.composite
def lrns(draw):
    settings = [
        ("norm_region", draw(st.sampled_from(["ACROSS_CHANNELS", "WITHIN_CHANNEL"]))),
        ("local_size", draw(st.sampled_from([1, 3, 5, 7]))),
        ("alpha", draw(st.sampled_from([1e-4, 0.1, 1]))),
        ("beta", draw(st.sampled_from([0.5, 0.75, 1]))),
        ("k", draw(st.sampled_from([1, 2]))),
    ]
    return draw(shapes((1, 1))), "LRN", f"lrn_param {{ {_text(settings)} }}"


@st.composite
def batch_norms(draw):
    statistics = draw(st.sampled_from(["", "use_global_stats: false", "use_global_stats: true"]))
    return draw(shapes((2, 2))), "BatchNorm", f"batch_norm_param {{ eps: 0.01 {statistics} }}"


def _text(settings):
    return " ".join(f"{name}: {value}" for name, value in settings)


def run(engine, shape, layer, param):
    """Everything that a layer writes: top, bottom's gradient, parameters' gradients and statistics."""
    dims = " ".join(f"dim: {size}" for size in shape)
    text = f"""
        force_backward: true
        layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}
        layer {{ name: "y" type: "{layer}" bottom: "x" top: "y" {param} }}
        """
    net = Net(parse(text, schema.NetParameter, "net.prototxt"), TRAIN, ops=Ops(engine), seed=3, keep_blobs=True)
    rng = np.random.default_rng(7)
    net.blobs["x"].data[...] = rng.standard_normal(shape)
    net.forward()
    net.blobs["y"].diff[...] = rng.standard_normal(net.blobs["y"].shape)
    net.clear_diffs()
    net.backward()
    found = [net.blobs["y"].data, net.blobs["x"].diff]
    for blob in net.params.get("y", []):
        found += [blob.data, blob.diff]
    return found


@needs_onednn
@settings(deadline=None, derandomize=True, database=None, max_examples=200)
@given(st.one_of(filters("Convolution"), filters("Deconvolution"), pools(), lrns(), batch_norms()))
def test_engines_agree(case):
    for fast, plain in zip(run("auto", *case), run("plain", *case), strict=True):
        close(fast, plain, 1e-4)
