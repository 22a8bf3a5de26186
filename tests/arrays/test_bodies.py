"""Every body of an op has the op's signature, and gives the numbers of a plain loop over its formula."""

import contextlib
import importlib
import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrays import references
from arrays.emulated.card import EmulatedCard
from arrays.emulated.plans import HostPlan
from netcli.arrays.device import CPU
from netcli.arrays.layout import count_of, view
from netcli.arrays.ops import BODIES, Ops, Unsupported
from netcli.arrays.varying import Varying

CARD = EmulatedCard()
DTYPES = ["f4", "f8"]
LAYOUTS = ["channels last", "c contiguous"]


def body_class(path):
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(f"netcli.arrays.{module}"), name)


def is_of_card(body):
    return body.partition(".")[0] in EmulatedCard.rooms


def plan(body, *args, **options):
    """The plan of one body, or a skip with its reason for declining; of a card's, one that takes NumPy's arrays."""
    try:
        if is_of_card(body):
            return HostPlan(body_class(body)(CARD, *args, **options), CARD)
        return body_class(body)(*args, **options)
    except Unsupported as reason:
        pytest.skip(f"{body}: {reason}")


def bodies(op):
    return pytest.mark.parametrize("body", BODIES[op])


layouts = pytest.mark.parametrize("layout", LAYOUTS)
dtypes = pytest.mark.parametrize("dtype", DTYPES)


class Arrays:
    """Random arrays of one dtype, 4-D ones in the layout asked for.

    options: of the plans that take them
    """

    options = {}  # noqa: RUF012

    def __init__(self, dtype, layout="channels last", seed=5):
        self.dtype, self.layout = np.dtype(dtype), layout
        self.rng = np.random.default_rng(seed)
        self.tolerance = 3e-5 if self.dtype == np.float32 else 1e-12

    def of(self, values):
        """A copy of an array, laid out."""
        out = view(np.empty(values.size, self.dtype), values.shape, self.layout == "channels last")
        out[...] = values
        return out

    def normal(self, *shape):
        return self.of(self.rng.standard_normal(shape))

    def dirty(self, *shape):
        """Memory with something in it that nobody should read."""
        return self.of(np.full(shape, np.nan))

    def close(self, got, want):
        scale = max(1.0, float(np.abs(want).max(initial=0)))
        np.testing.assert_allclose(got, want, rtol=self.tolerance, atol=self.tolerance * scale)


def slope(function, at, direction, step=1e-6):
    """Derivative of a function of one array along a direction."""
    return (function(at + step * direction) - function(at - step * direction)) / (2 * step)


def check_gradient(arrays, forward, x, dy, dx):
    """dx against the slope of <dy, forward(x)>; the reference's forward is in float64."""
    x, dy = np.float64(x), np.float64(dy)
    direction = np.random.default_rng(3).standard_normal(x.shape)
    numeric = slope(lambda at: float((forward(at) * dy).sum()), x, direction)
    analytic = float((np.float64(dx) * direction).sum())
    assert abs(numeric - analytic) <= (1e-4 if arrays.dtype == np.float32 else 1e-7) * max(1, abs(numeric))


@pytest.mark.parametrize("op", BODIES)
def test_signatures(op):
    asked = [name for name in inspect.signature(getattr(Ops, op)).parameters if name != "self"]
    definition = body_class(BODIES[op][-1])
    methods = ("forward", "backward", "backward_data", "backward_weights", "update")
    assert any(hasattr(definition, method) for method in methods)
    for path in BODIES[op]:
        body = body_class(path)
        assert list(inspect.signature(body).parameters) == ["card"] * is_of_card(path) + asked, body
        for method in methods:
            assert hasattr(body, method) == hasattr(definition, method), (body, method)
            if hasattr(definition, method):
                signatures = [list(inspect.signature(getattr(c, method)).parameters) for c in (body, definition)]
                assert signatures[0] == signatures[1], (body, method)


def test_plain_engine_takes_the_plain_body():
    assert type(Ops("plain").softmax((2, 3), 1)).__module__ == "netcli.arrays.plain.softmax"


def test_a_body_that_declines_is_passed_over(monkeypatch):
    class Never:
        def __init__(self, *args):
            raise Unsupported("not today")

    monkeypatch.setattr("netcli.arrays.plain.sum.Sum", Never)
    monkeypatch.setitem(BODIES, "softmax", ("plain.sum:Sum", "plain.softmax:Softmax"))
    ops = Ops()
    assert type(ops.softmax((2, 3), 1)).__module__ == "netcli.arrays.plain.softmax"
    assert ops.declined == {"softmax": {"plain": "not today"}}


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


def check_weights_added(arrays, backward_weights, dw, db):
    """add sums into what is there; None is left out."""
    more, more_db = np.ones_like(dw), None if db is None else np.ones_like(db)
    backward_weights(more, more_db, True)
    arrays.close(more, dw + 1)
    if db is not None:
        arrays.close(more_db, db + 1)
        backward_weights(None, more_db, True)
        arrays.close(more_db, 2 * db + 1)
    backward_weights(more, None, True)
    arrays.close(more, 2 * dw + 1)


INNER_PRODUCTS = [
    ((3, 4), 1, 5, False, True),
    ((2, 3, 4, 5), 1, 6, False, True),
    ((2, 3, 4, 5), 1, 6, True, False),
    ((2, 3, 4, 5), 2, 4, True, True),
    ((2, 3, 4), 2, 2, False, False),
    ((4, 5), 0, 3, False, True),
]


@bodies("inner_product")
@dtypes
@layouts
@pytest.mark.parametrize(("shape", "axis", "filters", "transpose", "bias"), INNER_PRODUCTS)
def test_inner_product(body, dtype, layout, shape, axis, filters, transpose, bias):
    check_inner_product(body, Arrays(dtype, layout), shape, axis, filters, transpose, bias)


def check_inner_product(body, arrays, shape, axis, filters, transpose, bias):
    dtype = arrays.dtype
    product = plan(body, shape, axis, filters, transpose, bias, dtype, **arrays.options)
    rows, length = count_of(shape[:axis]), count_of(shape[axis:])
    x = arrays.normal(*shape)
    w = arrays.rng.standard_normal((length, filters) if transpose else (filters, length)).astype(dtype)
    b = arrays.rng.standard_normal(filters).astype(dtype) if bias else None

    def forward(x, w, b):
        y = np.dot(np.ascontiguousarray(x).reshape(rows, length), w if transpose else w.T)
        return (y if b is None else y + b).reshape(*shape[:axis], filters)

    want = forward(np.float64(x), np.float64(w), None if b is None else np.float64(b))
    assert product.y_shape == want.shape
    y = arrays.dirty(*want.shape)
    product.forward(x, w, b, y)
    arrays.close(y, want)

    dy, dx = arrays.normal(*want.shape), arrays.dirty(*shape)
    product.backward_data(dy, w, dx)
    check_gradient(arrays, lambda x: forward(x, w, b), x, dy, dx)
    dw, db = np.full(w.shape, np.nan, dtype), np.full(filters, np.nan, dtype) if bias else None
    product.backward_weights(x, dy, dw, db, False)
    check_gradient(arrays, lambda w: forward(x, w, b), w, dy, dw)
    if bias:
        check_gradient(arrays, lambda b: forward(x, w, b), b, dy, db)
    check_weights_added(arrays, lambda *gradients: product.backward_weights(x, dy, *gradients), dw, db)


# (height, width), (rows, columns) of the result, kernel, stride, pad
POOLS = {
    "2x2/2": ((6, 8), (3, 4), (2, 2), (2, 2), (0, 0)),
    "overlapping": ((7, 9), (3, 4), (3, 3), (2, 2), (0, 0)),
    "last window beyond the image": ((8, 9), (4, 4), (3, 3), (2, 2), (0, 0)),
    "padded": ((5, 6), (5, 6), (3, 3), (1, 1), (1, 1)),
    "padded, last window beyond the padding": ((6, 7), (4, 4), (3, 3), (2, 2), (1, 1)),
    "uneven": ((6, 5), (4, 4), (3, 2), (2, 1), (1, 0)),
    "more windows than rows": ((2, 3), (3, 4), (4, 4), (1, 1), (2, 2)),
    "whole image": ((4, 5), (1, 1), (4, 5), (1, 1), (0, 0)),
    "kernel larger than the image": ((2, 3), (1, 1), (3, 4), (2, 2), (0, 0)),
    "windows outside the image": ((6, 4), (4, 2), (1, 2), (2, 3), (0, 0)),
}


@bodies("pool")
@dtypes
@layouts
@pytest.mark.parametrize("method", ["max", "ave"])
@pytest.mark.parametrize("name", POOLS)
def test_pool(body, dtype, layout, method, name):
    check_pool(body, Arrays(dtype, layout), method, *POOLS[name])


@st.composite
def pools(draw):
    """Any window, and any number of them that Caffe's rounding can give."""
    pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))
    kernel, stride, size = draw(pairs), draw(pairs), draw(pairs)
    pad = tuple(draw(st.integers(0, k - 1)) for k in kernel)
    rooms = [s + 2 * p - k for s, p, k in zip(size, pad, kernel, strict=True)]
    out = tuple(max(1, -(-room // t) + 1) for room, t in zip(rooms, stride, strict=True))
    return size, out, kernel, stride, pad


@bodies("pool")
@pytest.mark.parametrize("method", ["max", "ave"])
@settings(max_examples=60, deadline=None)
@given(case=pools())
def test_any_pool(body, method, case):
    with contextlib.suppress(pytest.skip.Exception):
        check_pool(body, Arrays("f4"), method, *case)


@bodies("pool")
@layouts
@pytest.mark.parametrize("method", ["max", "ave"])
@pytest.mark.parametrize("channels", [5, 8])
@pytest.mark.parametrize("name", POOLS)
def test_pool_without_a_mask(body, layout, method, channels, name):
    check_pool(body, Arrays("f4", layout), method, *POOLS[name], channels, wants_mask=False)


@bodies("pool")
@pytest.mark.parametrize("method", ["max", "ave"])
@pytest.mark.parametrize("channels", [6, 20])
@pytest.mark.parametrize("wants_mask", [False, True])
def test_pool_of_many_items(body, method, channels, wants_mask):
    window = ((31, 24), (16, 13), (3, 3), (2, 2), (1, 1))
    check_pool(body, Arrays("f4"), method, *window, channels, wants_mask and method == "max")


@bodies("pool")
@pytest.mark.parametrize("method", ["max", "ave"])
def test_pool_without_gradients(body, method):
    arrays = Arrays("f4")
    pool = plan(body, (2, 4, 5, 5), (2, 4, 2, 2), method, (3, 3), (2, 2), (0, 0), False, arrays.dtype, False)
    x, y = arrays.normal(2, 4, 5, 5), arrays.dirty(2, 4, 2, 2)
    pool.forward(x, y)
    arrays.close(y, references.pool(x, (2, 2), method, (3, 3), (2, 2), (0, 0))[0])


def check_pool(body, arrays, method, size, out, kernel, stride, pad, channels=3, wants_mask=None):
    """wants_mask: None: where there can be one"""
    x_shape, y_shape = (2, channels, *size), (2, channels, *out)
    wants_mask = method == "max" if wants_mask is None else wants_mask
    pool = plan(body, x_shape, y_shape, method, kernel, stride, pad, wants_mask, arrays.dtype)
    # Few values, so that many are equal.
    x = arrays.of(arrays.rng.integers(-2, 3, x_shape))
    want, mask, backward = references.pool(x, out, method, kernel, stride, pad)
    y, dy, dx = arrays.dirty(*y_shape), arrays.normal(*y_shape), arrays.dirty(*x_shape)
    pool.forward(x, y)
    arrays.close(y, want)
    if wants_mask:
        np.testing.assert_array_equal(pool.mask, mask)
    pool.backward(dy, dx)
    arrays.close(dx, backward(dy))


@pytest.mark.parametrize("body", ["cuda.pool:Pool", "compiled.pool:Pool", "plain.pool:Pool"])
def test_pool_never_takes_what_is_not_a_number(body):
    arrays = Arrays("f4")
    values = np.full((1, 1, 4, 4), np.nan)
    values[0, 0, 0, 1], values[0, 0, 3] = 7, [-np.inf, 1, np.nan, 3]
    x, y, dx = arrays.of(values), arrays.dirty(1, 1, 2, 2), arrays.dirty(1, 1, 4, 4)
    pool = plan(body, x.shape, y.shape, "max", (2, 2), (2, 2), (0, 0), True, arrays.dtype)
    pool.forward(x, y)
    np.testing.assert_array_equal(y[0, 0], [[7, np.finfo("f4").min], [1, 3]])
    np.testing.assert_array_equal(pool.mask[0, 0], [[1, -1], [13, 15]])
    pool.backward(arrays.of(np.ones(y.shape)), dx)
    assert dx.sum() == 3


@bodies("pool")
def test_pool_of_a_large_window(body):
    arrays = Arrays("f4")
    x = arrays.normal(1, 2, 20, 300)
    pool = plan(body, x.shape, (1, 2, 1, 1), "max", (20, 300), (1, 1), (0, 0), True, arrays.dtype)
    y, dx = arrays.dirty(1, 2, 1, 1), arrays.dirty(*x.shape)
    pool.forward(x, y)
    np.testing.assert_array_equal(pool.mask.reshape(2), x.reshape(2, -1).argmax(1))
    pool.backward(arrays.of(np.ones(y.shape)), dx)
    np.testing.assert_array_equal(dx, x == x.max((2, 3), keepdims=True))


@bodies("stochastic_pool")
@dtypes
@layouts
@settings(max_examples=25, deadline=None)
@given(case=pools(), major=st.integers(0, 3))
def test_stochastic_pool(body, dtype, layout, case, major):
    size, out, kernel, stride, _ = case
    check_stochastic_pool(body, Arrays(dtype, layout), size, out, kernel, stride, major)


@bodies("stochastic_pool")
@dtypes
@pytest.mark.parametrize("channels", [7, 8])
@pytest.mark.parametrize("window", [((31, 24), (15, 12), (3, 3), (2, 2)), ((20, 40), (10, 9), (13, 21), (1, 3))])
def test_stochastic_pool_of_many_items(body, dtype, channels, window):
    check_stochastic_pool(body, Arrays(dtype), *window, 2**40, channels)


@bodies("stochastic_pool")
def test_stochastic_pool_by_a_number_that_varies(body):
    arrays, out, window = Arrays("f4"), (4, 5), ((2, 2), (2, 2))
    major = Varying(3, np.uint64, CARD if is_of_card(body) else CPU)
    x, y = arrays.of(arrays.rng.integers(0, 4, (2, 3, 8, 10))), arrays.dirty(2, 3, *out)
    pool = plan(body, x.shape, y.shape, *window, arrays.dtype)
    for number in (3, 2**40, 4):
        major.value = number
        pool.forward(x, y, 17, "p", major)
        np.testing.assert_array_equal(y, references.stochastic_pool(x, out, *window, (17, "p", number))[0])


def check_stochastic_pool(body, arrays, size, out, kernel, stride, major, channels=3):
    x_shape, y_shape = (2, channels, *size), (2, channels, *out)
    pool = plan(body, x_shape, y_shape, kernel, stride, arrays.dtype)
    # Small whole numbers: their sums are exact, and some windows hold zeros alone.
    x = arrays.of(arrays.rng.integers(0, 4, x_shape) * arrays.rng.integers(0, 2, x_shape))
    y, dy, dx = arrays.dirty(*y_shape), arrays.normal(*y_shape), arrays.dirty(*x_shape)
    want, backward = references.stochastic_pool(np.float64(x), out, kernel, stride, (17, "pool p", major))
    pool.forward(x, y, 17, "pool p", major)
    arrays.close(y, want)
    pool.backward(dy, dx)
    arrays.close(dx, backward(dy))
    want, backward = references.stochastic_pool(np.float64(x), out, kernel, stride)
    pool.mean(x, y)
    arrays.close(y, want)
    pool.mean_backward(x, y, dy, dx)
    arrays.close(dx, backward(dy))


@bodies("stochastic_pool")
def test_stochastic_pool_draws_in_proportion(body):
    values = np.array([[1, 0, 3], [0, 2, 4]], np.float32)
    x = np.broadcast_to(values, (400, 50, 2, 3))
    pool = plan(body, x.shape, (400, 50, 1, 1), (2, 3), (1, 1), x.dtype)
    y = np.empty((400, 50, 1, 1), np.float32)
    pool.forward(x, y, 5, "p", 0)
    for value in (0, 1, 2, 3, 4):
        p = value / values.sum()
        assert abs((y == value).mean() - p) <= 5 * (p * (1 - p) / y.size) ** 0.5
    pool.mean(x, y)
    np.testing.assert_allclose(y, 3, rtol=1e-6)  # (1 + 9 + 4 + 16) / 10


@bodies("stochastic_pool")
def test_stochastic_pool_of_what_is_no_probability(body):
    x = np.array([[-1, -2], [-3, -4], [np.nan, 5], [0, 0]], np.float32).reshape(4, 1, 1, 2)
    y, dx = np.empty((4, 1, 1, 1), np.float32), np.empty(x.shape, np.float32)
    pool = plan(body, x.shape, y.shape, (1, 2), (1, 1), x.dtype)
    pool.forward(x, y, 5, "p", 0)
    assert all(found in cells for found, cells in zip(y.ravel(), x.reshape(4, 2), strict=True))
    pool.backward(np.ones(y.shape, np.float32), dx)
    np.testing.assert_array_equal(dx.sum((1, 2, 3)), 1)
    assert dx[3, 0, 0, 0] == 1  # of zeros alone, the first
    pool.mean(x, y)
    np.testing.assert_array_equal(y.ravel(), 0)


@bodies("lrn")
@dtypes
@layouts
@pytest.mark.parametrize(
    ("region", "size", "alpha", "beta", "k"),
    [
        ("across", 5, 0.3, 0.75, 1.0),
        ("across", 3, 1.0, 0.6, 2.0),
        ("across", 15, 0.3, 0.75, 1.0),
        ("across", 1, 0.5, 0.75, 1.0),
        ("within", 3, 1.2, 0.75, 1.0),
        ("within", 5, 0.4, 0.5, 1.0),
    ],
)
@pytest.mark.parametrize("shape", [(2, 7, 3, 4), (3, 12, 5, 8)])
def test_lrn(body, dtype, layout, shape, region, size, alpha, beta, k):
    arrays = Arrays(dtype, layout)
    lrn = plan(body, shape, region, size, alpha, beta, k, arrays.dtype)
    x, y, dy, dx = arrays.normal(*shape), arrays.dirty(*shape), arrays.normal(*shape), arrays.dirty(*shape)
    lrn.forward(x, y)
    arrays.close(y, references.lrn(x, region, size, alpha, beta, k))
    lrn.backward(x, dy, dx)
    check_gradient(arrays, lambda x: references.lrn(x, region, size, alpha, beta, k), x, dy, dx)


@bodies("lrn")
@pytest.mark.parametrize("region", ["across", "within"])
def test_lrn_without_gradients(body, region):
    arrays = Arrays("f4")
    lrn = plan(body, (2, 7, 3, 4), region, 3, 0.3, 0.75, 1.0, arrays.dtype, False)
    x, y = arrays.normal(2, 7, 3, 4), arrays.dirty(2, 7, 3, 4)
    lrn.forward(x, y)
    arrays.close(y, references.lrn(x, region, 3, 0.3, 0.75, 1.0))


@bodies("batch_norm")
@dtypes
@layouts
@pytest.mark.parametrize(
    "shape",
    [(3, 4, 2, 5), (6, 3), (2, 3, 4), (2, 3, 2, 3, 2), (2, 140, 3, 4), (3, 5, 24, 25), (4, 8, 23, 20), (3, 2, 700)],
)
@pytest.mark.parametrize(
    ("use_global", "affine", "relu"),
    [(False, False, False), (True, False, False), (False, True, True), (True, True, False), (False, False, True)],
)
def test_batch_norm(body, dtype, layout, shape, use_global, affine, relu):
    arrays = Arrays(dtype, layout)
    norm = plan(body, shape, 1e-3, use_global, affine, relu, arrays.dtype)
    x, y, dy, dx = arrays.normal(*shape), arrays.dirty(*shape), arrays.normal(*shape), arrays.dirty(*shape)
    mean, var = np.full((2, shape[1]), np.nan, dtype)
    if use_global:
        mean[:], var[:] = arrays.rng.standard_normal(shape[1]), arrays.rng.uniform(0.5, 2, shape[1])
    means, variances = np.float64(mean), np.float64(var)
    s, b, ds, db = arrays.rng.standard_normal((4, shape[1])).astype(dtype) if affine else [None] * 4

    def forward(x, s=s, b=b):
        return references.batch_norm(x, means, variances, 1e-3, use_global, s, b, relu)

    want = forward(np.float64(x))
    norm.forward(x, mean, var, s, b, y)
    arrays.close(y, want)
    arrays.close(mean, means)
    arrays.close(var, variances)
    norm.backward(x, mean, var, s, dy, dx, ds, db)
    check_gradient(arrays, forward, x, dy, dx)
    if affine:
        check_gradient(arrays, lambda s: forward(np.float64(x), s, b), s, dy, ds)
        check_gradient(arrays, lambda b: forward(np.float64(x), s, b), b, dy, db)

    over = x.copy(order="K")  # y is x, dx is dy
    norm.forward(over, mean, var, s, b, over)
    arrays.close(over, want)
    norm.backward(x, mean, var, s, dy, dy, ds, db)
    arrays.close(dy, dx)


@bodies("batch_norm")
@dtypes
def test_batch_norm_with_relu_shows_what_is_not_a_number(body, dtype):
    arrays = Arrays(dtype, "channels last")
    shape = (2, 16, 3, 3)
    norm = plan(body, shape, 1e-3, False, True, True, arrays.dtype)
    x, y = arrays.normal(*shape), arrays.dirty(*shape)
    x[1, 3, 2, 2] = np.nan
    mean, var, s, b = np.ones((4, 16), dtype)
    norm.forward(x, mean, var, s, b, y)
    assert np.isnan(y[:, 3]).all()
    assert np.isfinite(np.delete(y, 3, axis=1)).all()


@bodies("softmax")
@dtypes
@layouts
@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((4, 6), 1),
        ((2, 3, 4, 5), 1),
        ((2, 3, 4), 2),
        ((2, 3, 100, 150), 1),
        ((3, 4), 0),
        ((5,), 0),
        ((40, 50), 1),
        ((7, 1100), 1),
        ((2, 33, 4, 5), 1),
        ((2, 3, 40, 20), 2),
        ((20, 3, 100), 1),
    ],
)
def test_softmax(body, dtype, layout, shape, axis):
    arrays = Arrays(dtype, layout)
    softmax = plan(body, shape, axis, arrays.dtype)
    x, y, dy, dx = arrays.normal(*shape), arrays.dirty(*shape), arrays.normal(*shape), arrays.dirty(*shape)
    x += 500  # exp(500) is no float32
    softmax.forward(x, y)
    want = references.softmax(np.float64(x), axis)
    arrays.close(y, want)
    softmax.backward(y, dy, dx)
    check_gradient(arrays, lambda x: references.softmax(x, axis), x, dy, dx)
    softmax.forward(x, x)
    arrays.close(x, want)
    softmax.backward(y, dy, dy)
    arrays.close(dy, dx)


@bodies("log_loss")
@dtypes
@layouts
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((4, 6), 1), ((2, 3, 4, 5), 1), ((2, 3, 4, 5), 2), ((2, 3, 4), 2), ((3, 4), 0), ((70_000, 2), 1)],
)
def test_log_loss(body, dtype, layout, shape, axis):
    arrays = Arrays(dtype, layout)
    loss = plan(body, shape, axis, arrays.dtype)
    p, dx = arrays.of(references.softmax(arrays.rng.standard_normal(shape), axis)), arrays.dirty(*shape)
    index = arrays.rng.integers(-1, shape[axis], (*shape[:axis], 1, *shape[axis + 1 :]))
    p[0], index.flat[0] = 0, 0  # of no probability
    want, gradient = references.log_loss(np.float64(p), axis, index)
    got = loss.forward(p, index)
    assert isinstance(got, float) if not is_of_card(body) else (got.shape, got.dtype) == ((), arrays.dtype)
    assert abs(got - want) <= 1e-6 * want
    loss.backward(p, index, 0.5, dx)
    arrays.close(dx, 0.5 * gradient)
    again = arrays.dirty(*shape)
    for scale in (np.array(0.5), np.array(0.5, dtype)):  # no number, but where one is
        loss.backward(p, index, scale, again)
        np.testing.assert_array_equal(again, dx)
    loss.backward(p, index, 0.5, p)
    np.testing.assert_array_equal(p, dx)


@bodies("softmax")
@pytest.mark.parametrize("classes", [5, 40, 1100])
def test_softmax_shows_what_is_not_a_number(body, classes):
    x = np.zeros((5, classes), "f4")
    x[1, 3], x[2, 0], x[3, 4], x[4] = np.nan, np.inf, -np.inf, -np.inf
    softmax, y = plan(body, x.shape, 1, x.dtype), np.empty_like(x)
    with np.errstate(invalid="ignore"):
        softmax.forward(x, y)
    assert np.isnan(y[[1, 4]]).all()
    assert np.isnan(y[2]).any()
    np.testing.assert_allclose(y[0], 1 / classes, rtol=1e-6)
    np.testing.assert_allclose(y[3], (np.arange(classes) != 4) / (classes - 1), rtol=1e-6)


@bodies("log_loss")
def test_log_loss_shows_what_is_not_a_number(body):
    p, index = np.array([[0.5, 0.5], [np.nan, np.nan]], "f4"), np.array([[1], [0]])
    loss, dx = plan(body, p.shape, 1, p.dtype), np.empty_like(p)
    assert np.isnan(loss.forward(p, index))
    loss.backward(p, index, 1.0, dx)
    np.testing.assert_array_equal(np.isnan(dx), [[False, False], [True, True]])


@bodies("activation")
@dtypes
@layouts
@pytest.mark.parametrize(
    ("kind", "alpha"), [("relu", 0.0), ("relu", 0.1), ("elu", 1.0), ("elu", 0.5), ("sigmoid", 0.0), ("tanh", 0.0)]
)
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 700)])
def test_activation(body, dtype, layout, kind, alpha, shape):
    arrays = Arrays(dtype, layout)
    activation = plan(body, kind, shape, alpha, arrays.dtype)
    x, y, dy, dx = arrays.normal(*shape), arrays.dirty(*shape), arrays.normal(*shape), arrays.dirty(*shape)
    x[np.abs(x) < 0.05] = 0.05  # a kink has no slope
    want = references.activation(kind, alpha, np.float64(x))
    activation.forward(x, y)
    arrays.close(y, want)
    activation.backward(x, y, dy, dx)
    check_gradient(arrays, lambda x: references.activation(kind, alpha, x), x, dy, dx)
    activation.forward(x, x)
    arrays.close(x, want)
    activation.backward(x, x, dy, dy)
    arrays.close(dy, dx)


@bodies("prelu")
@dtypes
@layouts
@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 4, 5), (2, 3, 4), (2, 3, 2100), (2, 3, 100, 150)])
@pytest.mark.parametrize("shared", [False, True])
def test_prelu(body, dtype, layout, shape, shared):
    arrays = Arrays(dtype, layout)
    prelu = plan(body, shape, shared, arrays.dtype)
    x, y, dy, dx = arrays.normal(*shape), arrays.dirty(*shape), arrays.normal(*shape), arrays.dirty(*shape)
    a = arrays.rng.standard_normal(() if shared else shape[1]).astype(dtype)
    da = np.full_like(a, np.nan)
    slopes = np.float64(a).reshape(-1, *[1] * (len(shape) - 2))
    want, slope = np.where(x > 0, x, slopes * x), np.where(x > 0, 1, slopes)
    prelu.forward(x, a, y)
    arrays.close(y, want)
    prelu.backward(x, a, dy, None, da)
    below = np.float64(np.where(x > 0, 0, x) * dy)
    arrays.close(da, below.sum() if shared else below.sum(tuple(i for i in range(len(shape)) if i != 1)))
    prelu.backward(x, a, dy, dx, None)
    arrays.close(dx, slope * dy)
    prelu.backward(x, a, dy, dy, da)
    arrays.close(dy, dx)
    prelu.forward(x, a, x)
    arrays.close(x, want)


@bodies("scale")
@dtypes
@layouts
@pytest.mark.parametrize(
    ("shape", "axis", "end"),
    [
        *[((2, 3, 4, 5), axis, end) for axis, end in [(1, 2), (0, 2), (0, 1), (4, 4), (1, 4), (2, 3), (0, 4)]],
        *[((2, 3, 4, 5), axis, end) for axis, end in [(0, 3), (1, 3), (2, 4), (3, 4), (0, 0)]],
        *[
            ((4, 6), 1, 2),
            ((4, 3, 7), 1, 2),
            ((2, 3, 2100), 1, 2),
            ((2, 3, 100, 150), 1, 2),
            ((70, 1100), 1, 2),
            ((3, 20_000), 0, 1),
            ((4, 3, 7000), 1, 2),
            ((5, 1, 90, 70), 1, 2),
            ((0, 3), 1, 2),
            ((), 0, 0),
        ],
    ],
)
def test_scale(body, dtype, layout, shape, axis, end):
    arrays = Arrays(dtype, layout)
    scale = plan(body, shape, axis, end, arrays.dtype)
    x, y, dy, dx = arrays.normal(*shape), arrays.dirty(*shape), arrays.normal(*shape), arrays.dirty(*shape)
    s, b = (np.array(each, dtype) for each in arrays.rng.standard_normal((2, *shape[axis:end])))
    ds, db = np.full_like(s, np.nan), np.full_like(s, np.nan)
    beside = (*shape[axis:end], *(1,) * (len(shape) - end))
    factor, offset = np.float64(s).reshape(beside), np.float64(b).reshape(beside)
    others = tuple(i for i in range(len(shape)) if not axis <= i < end)
    for parts in [(s, b), (s, None), (None, b), (None, None)]:
        scale.forward(x, *parts, y)
        arrays.close(y, np.float64(x) * (1 if parts[0] is None else factor) + (0 if parts[1] is None else offset))
    scale.backward(x, s, dy, dx, ds, db)
    arrays.close(dx, dy * factor)
    arrays.close(ds, (np.float64(dy) * x).sum(others))
    arrays.close(db, np.float64(dy).sum(others))
    again = np.full_like(db, np.nan)
    scale.backward(None, s, dy, None, None, again)
    arrays.close(again, db)
    over = x.copy(order="K")
    scale.forward(over, s, b, over)
    arrays.close(over, x * factor + offset)
    scale.backward(None, s, dy, dy, None, None)
    arrays.close(dy, dx)


@bodies("activation")
def test_relu_has_no_slope_at_zero(body):
    relu = plan(body, "relu", (3,), 0.0, np.dtype("f4"))
    x, y, dx = np.array([-1, 0, 1], "f4"), np.empty(3, "f4"), np.empty(3, "f4")
    relu.forward(x, y)
    relu.backward(x, y, np.ones(3, "f4"), dx)
    np.testing.assert_array_equal(dx, [0, 0, 1])


@bodies("concat")
@dtypes
@layouts
@pytest.mark.parametrize(
    ("shape", "axis", "sizes"),
    [
        *[((2, 0, 3, 4), 1, (2, 3, 1)), ((0, 3), 0, (2, 4)), ((2, 3, 0), 2, (1, 5)), ((2, 0), 1, (3,))],
        *[((0, 3, 2, 4), 0, (2, 1)), ((2, 3, 0, 4), 2, (1, 0, 5)), ((2, 3, 4, 0), 3, (2, 3))],
        *[((3, 0, 20, 30), 1, (2, 3)), ((40, 0, 9), 1, (30, 1)), ((), 0, (900, 1000)), ((0, 0, 2, 2), 1, (3, 4))],
    ],
)
def test_concat(body, dtype, layout, shape, axis, sizes):
    arrays = Arrays(dtype, layout)
    shapes = [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]
    xs = [arrays.normal(*s) for s in shapes]
    concat = plan(body, shapes, axis, arrays.dtype)
    want = np.concatenate(xs, axis)
    assert concat.y_shape == want.shape
    y = arrays.dirty(*want.shape)
    concat.forward(xs, y)
    np.testing.assert_array_equal(y, want)
    dxs = [arrays.dirty(*s) for s in shapes]
    concat.backward(y, [None, *dxs[1:]])
    concat.backward(y, [*dxs[:1], *[None] * (len(dxs) - 1)])
    for dx, x in zip(dxs, xs, strict=True):
        np.testing.assert_array_equal(dx, x)


@bodies("sum")
@dtypes
@layouts
@pytest.mark.parametrize("coefficients", [(1.0, 1.0), (0.5, -1.5, 2.0), (3.0,), (1.0,) * 4, (1.0,) * 32, (1.0,) * 33])
def test_sum(body, dtype, layout, coefficients):
    arrays = Arrays(dtype, layout)
    xs = [arrays.normal(2, 3, 4, 5) for _ in coefficients]
    want = sum(c * np.float64(x) for c, x in zip(coefficients, xs, strict=True))
    total = plan(body, (2, 3, 4, 5), coefficients, arrays.dtype)
    y = arrays.dirty(2, 3, 4, 5)
    total.forward(xs, y)
    arrays.close(y, want)
    total.forward(xs, xs[0])
    arrays.close(xs[0], want)


@bodies("sum")
@pytest.mark.parametrize("count", [2, 5, 9])
def test_sum_of_many_items(body, count):
    arrays = Arrays("f4")
    xs = [arrays.normal(3, 5, 20, 30) for _ in range(count)]
    factors = tuple(arrays.rng.uniform(-2, 2, count))
    y = arrays.dirty(*xs[0].shape)
    plan(body, xs[0].shape, factors, arrays.dtype).forward(xs, y)
    arrays.close(y, sum(c * np.float64(x) for c, x in zip(factors, xs, strict=True)))


@bodies("sum")
@dtypes
@layouts
@pytest.mark.parametrize("slope", [0.0, 0.25])
@pytest.mark.parametrize("count", [2, 4, 32, 33])
def test_sum_and_relu(body, dtype, layout, slope, count):
    arrays = Arrays(dtype, layout)
    xs = [arrays.normal(2, 3, 4, 5) for _ in range(count)]
    xs[0][1, 2, 3, 4] = np.nan
    want = references.activation("relu", slope, sum(map(np.float64, xs)))
    y = arrays.dirty(2, 3, 4, 5)
    total = plan(body, (2, 3, 4, 5), (1.0,) * count, arrays.dtype, slope)
    total.forward(xs, y)
    arrays.close(y, want)
    total.forward(xs, xs[0])
    arrays.close(xs[0], want)


@bodies("maximum")
@dtypes
@layouts
@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 700), (2, 3, 100, 150)])
def test_maximum(body, dtype, layout, shape, count):
    arrays = Arrays(dtype, layout)
    maximum = plan(body, shape, count, arrays.dtype)
    # whole numbers, so that there are equals
    xs = [arrays.of(arrays.rng.integers(-3, 4, shape)) for _ in range(count)]
    y, dy = arrays.dirty(*shape), arrays.normal(*shape)
    want = np.max(xs, axis=0)
    # of equals the second, the first, then the others in their order
    order = [1, 0, *range(2, count)]
    winner = np.take(order, np.argmax(np.stack([xs[i] for i in order]), axis=0))
    maximum.forward(xs, y)
    np.testing.assert_array_equal(y, want)
    dxs = [arrays.dirty(*shape) for _ in xs]
    maximum.backward(dy, [None, *dxs[1:]])
    maximum.backward(dy, [dxs[0], *[None] * (count - 1)])
    for number, dx in enumerate(dxs):
        np.testing.assert_array_equal(dx, np.where(winner == number, dy, 0))


@bodies("maximum")
def test_maximum_shows_what_is_not_a_number(body):
    arrays = Arrays("f4")
    maximum = plan(body, (1, 40), 3, arrays.dtype)
    for number in range(3):
        xs = [arrays.normal(1, 40) for _ in range(3)]
        xs[number][0, 7] = np.nan
        y = arrays.dirty(1, 40)
        maximum.forward(xs, y)
        np.testing.assert_array_equal(np.isnan(y[0]), np.arange(40) == 7)


@bodies("maximum")
def test_maximum_of_very_many(body):
    arrays = Arrays("f4")
    xs = [arrays.of(arrays.rng.integers(-400, 400, (3, 50))) for _ in range(300)]
    maximum, y, dy = plan(body, (3, 50), len(xs), arrays.dtype), arrays.dirty(3, 50), arrays.normal(3, 50)
    maximum.forward(xs, y)
    np.testing.assert_array_equal(y, np.max(xs, axis=0))
    dxs = [arrays.dirty(3, 50) for _ in xs]
    maximum.backward(dy, dxs)
    order = [1, 0, *range(2, 300)]
    winner = np.take(order, np.argmax(np.stack([xs[i] for i in order]), axis=0))
    assert winner.max() >= 256
    for number, dx in enumerate(dxs):
        np.testing.assert_array_equal(dx, np.where(winner == number, dy, 0))


@bodies("maximum")
def test_maximum_shares_what_is_not_finite(body):
    maximum, y, dxs = plan(body, (2,), 2, np.dtype("f4")), np.empty(2, "f4"), list(np.empty((2, 2), "f4"))
    maximum.forward([np.array([1, np.nan], "f4"), np.array([0, 3], "f4")], y)
    with np.errstate(invalid="ignore"):
        maximum.backward(np.array([np.inf, 2], "f4"), dxs)
    np.testing.assert_array_equal(dxs, np.array([[np.inf, 2], [np.nan, 0]], "f4"))


@bodies("dropout")
@dtypes
@layouts
@pytest.mark.parametrize(
    "shape", [(3, 5), (2, 3, 4, 5), (2, 7, 1, 1), (3, 700), (5, 1500), (2, 3, 4, 4), (3, 50, 7, 9), (0, 3, 2, 2)]
)
@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.5])
def test_dropout(body, dtype, layout, shape, ratio):
    arrays = Arrays(dtype, layout)
    dropout = plan(body, shape, ratio, arrays.dtype)
    x, y, dx = arrays.normal(*shape), arrays.dirty(*shape), arrays.dirty(*shape)
    for major in (0, 1):
        factor = references.dropout_mask(shape, ratio, 17, "dropout d", major) / (1 - ratio)
        dropout.forward(x, y, 17, "dropout d", major)
        arrays.close(y, x * factor)
        dropout.backward(x, dx)
        arrays.close(dx, x * factor)
    dropout.forward(x, x, 17, "dropout d", 1)
    arrays.close(x, y)


@bodies("dropout")
@pytest.mark.parametrize("shape", [(3, 50), (2, 5, 3, 3)])
def test_dropout_by_a_number_that_varies(body, shape):
    arrays = Arrays("f4")
    dropout = plan(body, shape, 0.5, arrays.dtype)
    major = Varying(2**40, np.uint64, CARD if is_of_card(body) else CPU)
    x, y, dx = arrays.of(np.ones(shape)), arrays.dirty(*shape), arrays.dirty(*shape)
    for number in (2**40, 3, 4):
        major.value = number
        dropout.forward(x, y, 17, "d", major)
        np.testing.assert_array_equal(y > 0, references.dropout_mask(shape, 0.5, 17, "d", number))
        major.value = number + 1  # the gradient is of what was drawn, whatever comes next
        dropout.backward(x, dx)
        np.testing.assert_array_equal(dx, y)
    dropout.forward(x, y, 18, "e", 9)
    np.testing.assert_array_equal(y > 0, references.dropout_mask(shape, 0.5, 18, "e", 9))


@bodies("dropout")
@pytest.mark.parametrize("shape", [(4,), (1, 2, 2, 1)])
def test_dropout_of_what_is_not_finite(body, shape):
    arrays = Arrays("f4")
    x = arrays.of(np.array([np.nan, np.inf, -np.inf, -1]).reshape(shape))
    dropout, y = plan(body, shape, 0.5, arrays.dtype), arrays.dirty(*shape)
    seen = set()
    with np.errstate(invalid="ignore"):
        for major in range(8):
            dropout.forward(x, y, 17, "d", major)
            keep = references.dropout_mask(shape, 0.5, 17, "d", major)
            np.testing.assert_array_equal(y, x * keep * 2)
            seen |= set(keep.reshape(-1))
    assert seen == {False, True}


@pytest.mark.parametrize("block", [1, 3])
def test_dropout_in_blocks(monkeypatch, block):
    monkeypatch.setattr("netcli.arrays.plain.dropout.BLOCK", block)
    x = np.ones(61, "f4")
    dropout = plan("plain.dropout:Dropout", x.shape, 0.5, x.dtype)
    dropout.forward(x, x, 3, "d", 2)
    np.testing.assert_array_equal(x > 0, references.dropout_mask((61,), 0.5, 3, "d", 2))


def test_dropout_keeps_its_share():
    x = np.ones(100_000, "f4")
    dropout = plan("plain.dropout:Dropout", x.shape, 0.2, x.dtype)
    dropout.forward(x, x, 1, "d", 0)
    assert abs((x > 0).mean() - 0.8) < 5 * (0.8 * 0.2 / x.size) ** 0.5
    assert abs(x.mean() - 1) < 0.01


RULES = {"SGD": 1, "Nesterov": 1, "AdaGrad": 1, "RMSProp": 1, "AdaDelta": 2, "Adam": 2}  # rule -> histories


@bodies("update")
@dtypes
@pytest.mark.parametrize("shape", [(7, 3), (70, 1000)])  # of few items, and of many: parts for blocks and threads
@pytest.mark.parametrize("rule", RULES)
def test_update(body, dtype, shape, rule):
    arrays = Arrays(dtype)
    constants = (0.9, 0.95, 1e-3)
    update = plan(body, rule, shape, *constants, arrays.dtype)
    for decay, l1, scale in [(0, False, 1), (0.1, False, 0.5), (0.1, True, 0.5)]:
        w, dw, *histories = arrays.rng.standard_normal((2 + RULES[rule], *shape)).astype(dtype)
        for history in histories:
            np.abs(history, out=history)
        w[:2] = 0  # of no sign
        given = dw.copy()
        want = references.update(rule, *np.float64([w, dw]), np.float64(histories), 0.01, decay, l1, scale, *constants)
        update.update(w, dw, histories, 0.01, decay, l1, scale)
        for got, wanted in zip([w, *histories], want, strict=True):
            arrays.close(got, wanted)
        np.testing.assert_array_equal(dw, given)


@bodies("whole_numbers")
@dtypes
@pytest.mark.parametrize("shape", [(7,), (2, 3, 4, 5), (), (0, 3), (5, 1, 60, 30)])
@pytest.mark.parametrize("ignore", [None, 3, 255, -1])
def test_whole_numbers(body, dtype, shape, ignore):
    arrays = Arrays(dtype)
    numbers = plan(body, shape, 11, ignore, arrays.dtype)
    right = arrays.of(arrays.rng.integers(0, 11, shape))
    wrong = right.copy(order="K")
    places = sorted(arrays.rng.permutation(right.size)[:8])
    for place, value in zip(places, [-2, 11, 0.5, np.nan, np.inf, -np.inf, 255, -1], strict=False):
        wrong[np.unravel_index(place, shape)] = value
    for values in (right, wrong, right):
        index, ignored = numbers.forward(values)
        out = values == ignore
        want = np.array([references.index(value, 11, ignore) for value in values.ravel()], np.intp).reshape(shape)
        np.testing.assert_array_equal(index, np.where(want < 0, index, want))
        assert index.dtype == np.intp
        assert ((index >= 0) & (index < 11)).all()
        np.testing.assert_array_equal(np.zeros(shape, bool) if ignored is None else ignored, out)
    bad = [place for place in places if references.index(wrong.ravel()[place], 11, ignore) == -2]
    first = [1, bad[0], wrong.ravel()[bad[0]]] if bad else [0, 0, 0]
    np.testing.assert_array_equal(numbers.wrong, first)


@bodies("add_rows")
@dtypes
@layouts
@pytest.mark.parametrize(
    ("into", "index"),
    [((5, 3), (40,)), ((5, 3), (2, 3, 4)), ((4, 3, 2, 5), (9,)), ((3, 6000), (7,)), ((7, 2), (600,)), ((4, 3), (0,))],
)
def test_add_rows(body, dtype, layout, into, index):
    arrays = Arrays(dtype, layout)
    add = plan(body, into, index, arrays.dtype)
    to, rows = arrays.normal(*into), arrays.normal(*index, *into[1:])
    at = arrays.rng.integers(0, into[0], index)
    want = np.float64(to)
    np.add.at(want, at, np.float64(rows))
    add.forward(to, at, rows)
    arrays.close(to, want)


@bodies("norm")
@dtypes
def test_norm(body, dtype):
    arrays = Arrays(dtype)
    shapes = [(7, 3), (), (0, 2), (3, 2, 5, 5), (70, 1000)]
    norm = plan(body, shapes, arrays.dtype)
    xs = [np.array(arrays.normal(*shape), order="C") for shape in shapes]
    want = np.sqrt(sum(np.square(np.float64(x)).sum() for x in xs))
    for _ in range(2):
        assert abs(norm.forward(xs) - want) <= 1e-6 * want
    xs[0][2, 1] = np.nan
    assert np.isnan(norm.forward(xs))
    assert plan(body, [], arrays.dtype).forward([]) == 0


@bodies("update")
@pytest.mark.parametrize("rule", RULES)
def test_update_by_numbers_that_vary(body, rule):
    arrays = Arrays("f4")
    constants, histories = (0.9, 0.95, 1e-3), RULES[rule]
    update = plan(body, rule, (900,), *constants, arrays.dtype)
    rate, scale = (Varying(0, np.float64, CARD if is_of_card(body) else CPU) for _ in range(2))
    w, dw, *before = np.abs(arrays.rng.standard_normal((2 + histories, 900))).astype("f4")
    for rate.value, scale.value in ((0.1, 1.0), (0.01, 0.25), (0.02, 0.25)):
        want = references.update(
            rule, *np.float64([w, dw]), np.float64(before), rate.value, 0.1, False, scale.value, *constants
        )
        update.update(w, dw, before, rate, 0.1, False, scale)
        for got, wanted in zip([w, *before], want, strict=True):
            arrays.close(got, wanted)


@pytest.mark.parametrize("body", ["cuda.update:Update", "plain.update:Update"])
def test_update_without_decay_asks_nothing_of_the_weights(body):
    update = plan(body, "SGD", (2,), 0.9, 0.0, 0.0, np.float32)
    w, h = np.array([np.inf, 1], "f4"), np.zeros((1, 2), "f4")
    update.update(w, np.ones(2, "f4"), list(h), 0.5, 0.0, False, 1.0)
    np.testing.assert_array_equal(w, np.array([np.inf, 0.5], "f4"))


@bodies("update")
@pytest.mark.parametrize("rule", RULES)
def test_update_shows_what_is_not_a_number(body, rule):
    update = plan(body, rule, (3,), 0.9, 0.95, 1e-3, np.float32)
    w, histories = np.ones(3, "f4"), np.zeros((RULES[rule], 3), "f4")
    with np.errstate(invalid="ignore"):
        update.update(w, np.array([1, np.nan, np.inf], "f4"), list(histories), 0.1, 0.1, False, 1.0)
    assert np.isfinite(w[0])
    assert np.isnan(w[1])
    assert not np.isfinite(w[2])
