"""Every body of `conv` gives the numbers of a plain loop over its formula."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrays import references
from arrays.bodies.checks import Arrays, bodies, check_gradient, check_weights_added, dtypes, layouts, plan

# x (images, channels, *size), filters, kernel, stride, pad, dilation, group, bias
CONVOLUTIONS = {
    "3x3": ((2, 3, 5, 6), 4, (3, 3), (1, 1), (1, 1), (1, 1), 1, True),
    "1x1": ((2, 3, 4, 5), 4, (1, 1), (1, 1), (0, 0), (1, 1), 1, True),
    "1x1, stride 2": ((2, 3, 5, 6), 4, (1, 1), (2, 2), (0, 0), (1, 1), 1, False),
    "1x1, groups": ((2, 4, 3, 3), 6, (1, 1), (1, 1), (0, 0), (1, 1), 2, True),
    "uneven": ((2, 2, 7, 8), 3, (2, 4), (3, 1), (0, 2), (1, 1), 1, True),
    "dilated": ((1, 2, 9, 8), 3, (3, 2), (2, 1), (2, 1), (2, 3), 1, True),
    "groups": ((2, 4, 6, 5), 6, (3, 3), (2, 2), (1, 1), (1, 1), 2, True),
    "depthwise": ((2, 6, 6, 5), 6, (3, 3), (1, 1), (1, 1), (1, 1), 6, True),
    "depthwise, two each": ((2, 3, 6, 5), 6, (3, 3), (2, 2), (1, 1), (1, 1), 3, False),
    "signal": ((3, 2, 9), 4, (3,), (2,), (1,), (2,), 1, True),
    "volume": ((2, 3, 4, 5, 3), 2, (3, 2, 2), (1, 2, 1), (1, 0, 1), (1, 1, 1), 1, True),
    "filter as large as the image": ((2, 3, 4, 5), 2, (4, 5), (1, 1), (0, 0), (1, 1), 1, True),
}


@bodies("conv")
@dtypes
@layouts
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_conv(body, dtype, layout, name):
    check_conv(body, Arrays(dtype, layout), *CONVOLUTIONS[name])


@pytest.mark.parametrize("block", [1, 1500, 3000])
@pytest.mark.parametrize("name", ["3x3", "dilated", "groups", "volume"])
def test_conv_in_blocks(monkeypatch, block, name):
    monkeypatch.setattr("netcli.arrays.plain.conv.BLOCK_BYTES", block)
    check_conv("plain.conv:Conv", Arrays("f8"), *CONVOLUTIONS[name])


@st.composite
def convolutions(draw):
    axes = draw(st.integers(1, 3))
    sizes = st.lists(st.integers(1, 3), min_size=axes, max_size=axes).map(tuple)
    kernel, stride, dilation = draw(sizes), draw(sizes), draw(sizes)
    pad = tuple(draw(st.integers(0, 2)) for _ in kernel)
    extent = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = tuple(max(1, e - 2 * p) + draw(st.integers(0, 3)) for e, p in zip(extent, pad, strict=True))
    group, channels, filters = (draw(st.integers(1, 2)) for _ in range(3))
    shape = (draw(st.integers(1, 3)), channels * group, *size)
    return shape, filters * group, kernel, stride, pad, dilation, group, draw(st.booleans())


@bodies("conv")
@settings(max_examples=25, deadline=None)
@given(case=convolutions())
def test_any_conv(body, case):
    with contextlib.suppress(pytest.skip.Exception):  # a body may decline some
        check_conv(body, Arrays("f4"), *case)


def check_conv(body, arrays, shape, filters, kernel, stride, pad, dilation, group, bias):
    conv = plan(body, shape, filters, kernel, stride, pad, dilation, group, bias, arrays.dtype, **arrays.options)
    x = arrays.normal(*shape)
    w = arrays.rng.standard_normal((filters, shape[1] // group, *kernel)).astype(arrays.dtype)
    b = arrays.rng.standard_normal(filters).astype(arrays.dtype) if bias else None

    def forward(x, w, b):
        return references.conv(x, w, b, stride, pad, dilation, group)

    want = forward(x, w, b)
    assert conv.y_shape == want.shape
    y = arrays.dirty(*want.shape)
    conv.forward(x, w, b, y)
    arrays.close(y, want)

    dy = arrays.normal(*want.shape)
    dx = arrays.dirty(*shape)
    conv.backward_data(dy, w, dx)
    check_gradient(arrays, lambda x: forward(x, w, b), x, dy, dx)

    dw, db = np.full(w.shape, np.nan, arrays.dtype), np.full(filters, np.nan, arrays.dtype) if bias else None
    conv.backward_weights(x, dy, dw, db, False)
    check_gradient(arrays, lambda w: forward(x, w, b), w, dy, dw)
    if bias:
        check_gradient(arrays, lambda b: forward(x, w, b), b, dy, db)

    check_weights_added(arrays, lambda *gradients: conv.backward_weights(x, dy, *gradients), dw, db)
