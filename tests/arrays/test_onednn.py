"""What is special in oneDNN's bodies: layouts, binding, memory, and what they decline."""

import gc
import importlib
import logging
import os
import threading
import tracemalloc
import weakref
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcli.arrays import ops
from netcli.arrays.device import CPU
from netcli.arrays.layout import count_of, view
from netcli.arrays.onednn import library
from netcli.arrays.onednn.activation import Activation
from netcli.arrays.onednn.batch_norm import BatchNorm
from netcli.arrays.onednn.concat import Concat
from netcli.arrays.onednn.conv import Conv
from netcli.arrays.onednn.inner_product import InnerProduct
from netcli.arrays.onednn.lrn import LRN
from netcli.arrays.onednn.pool import Pool
from netcli.arrays.onednn.softmax import Softmax
from netcli.arrays.onednn.sum import Sum
from netcli.arrays.ops import BODIES, Ops, Unsupported

F4 = np.float32


def there():
    try:
        library.library()
    except Unsupported:
        return False
    return True


needs_onednn = pytest.mark.skipif(not there(), reason="oneDNN can't be loaded here")
quick = settings(deadline=None, derandomize=True, database=None)


def array(shape, seed=0):
    """Random numbers in the blobs' order."""
    out = view(CPU.empty(count_of(shape), F4), shape, channels_last=True)
    out[...] = np.random.default_rng(seed + 7919 * len(shape) + sum(shape)).standard_normal(shape)
    return out


def parameter(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(F4)


def orders(a):
    """The same numbers in every order an array may have."""
    yield a.copy(order="K")
    yield a.copy(order="C")
    yield a.copy(order="F")
    unaligned = np.empty(a.nbytes + 1, np.uint8)[1:].view(F4).reshape(a.shape)
    sparse = np.zeros([2 * size for size in a.shape], F4)[tuple(slice(None, None, 2) for _ in a.shape)]
    backwards = np.empty(a.shape, F4)[tuple(slice(None, None, -1) for _ in a.shape)]
    for out in (unaligned, sparse, backwards):
        out[...] = a
        yield out


def close(got, want, tolerance=2e-5):
    scale = max(float(np.abs(want).max()), 1e-3)
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * scale)


class Both:
    """A body of oneDNN's beside the plain one in float64."""

    def __init__(self, body, *args):
        path = next(path for paths in BODIES.values() for path in paths if path.endswith(f":{body.__name__}"))
        plain = importlib.import_module(f"netcli.arrays.plain.{path.partition(':')[0].partition('.')[2]}")
        self.fast = body(*args, F4)
        self.plain = getattr(plain, body.__name__)(*args, np.float64)

    def check(self, method, *arrays, out):
        """Call both; those of the arrays that are written (by place, `out`) must come out the same."""
        wide = [a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in arrays]
        getattr(self.plain, method)(*wide)
        getattr(self.fast, method)(*arrays)
        for index in out:
            close(arrays[index], wide[index])


def served(body, *args):
    """Both, or None where oneDNN declines: what it should take is in test_what_a_net_asks_for_is_served."""
    try:
        return Both(body, *args)
    except Unsupported:
        return None


# -- against the plain bodies


@st.composite
def convolutions(draw):
    axes = draw(st.sampled_from([2, 2, 2, 1, 3]))
    each = [draw(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 2))) for _ in range(axes)]
    kernel, stride, dilation = zip(*each, strict=True)
    pad = tuple(draw(st.integers(0, k)) for k in kernel)
    size = tuple(
        max(1, d * (k - 1) + 1 - 2 * p) + draw(st.integers(0, 6)) for k, d, p in zip(kernel, dilation, pad, strict=True)
    )
    group = draw(st.sampled_from([1, 1, 1, 2, 3]))
    channels, filters = (group * draw(st.sampled_from([1, 2, 3, 5, 8, 16, 17])) for _ in range(2))
    x_shape = (draw(st.integers(1, 3)), channels, *size)
    return x_shape, filters, kernel, stride, pad, dilation, group, draw(st.booleans())


@needs_onednn
@settings(quick, max_examples=20)
@given(convolutions())
def test_conv(case):
    both = Both(Conv, *case)
    x_shape, filters, bias = case[0], case[1], case[-1]
    x, y, dx = array(x_shape), array(both.fast.y_shape), array(x_shape)
    w, b = parameter(*both.fast.w_shape), parameter(filters) if bias else None
    both.check("forward", x, w, b, y, out=[3])
    both.check("backward_data", y, w, dx, out=[2])
    for add in (False, True):
        dw, db = w.copy(), parameter(filters) if bias else None
        both.check("backward_weights", x, y, dw, db, add, out=[2, 3] if bias else [2])


@needs_onednn
@settings(quick, max_examples=12)
@given(
    st.lists(st.sampled_from([1, 2, 3, 7, 16]), min_size=2, max_size=5).map(tuple),
    st.integers(0, 4),
    st.sampled_from([1, 3, 16, 33]),
    st.booleans(),
)
def test_inner_product(x_shape, axis, outputs, transpose):
    axis = min(axis, len(x_shape) - 1)
    both = Both(InnerProduct, x_shape, axis, outputs, transpose, True)
    x, y, dx = array(x_shape), array(both.fast.y_shape), array(x_shape)
    items = count_of(x_shape[axis:])
    w, b = parameter(*((items, outputs) if transpose else (outputs, items))), parameter(outputs)
    both.check("forward", x, w, b, y, out=[3])
    both.check("backward_data", y, w, dx, out=[2])
    for add in (False, True):
        both.check("backward_weights", x, y, w.copy(), b.copy(), add, out=[2, 3])


@st.composite
def poolings(draw):
    kernel, stride = (tuple(draw(st.integers(1, 4)) for _ in range(2)) for _ in range(2))
    pad = tuple(draw(st.integers(0, k - 1)) for k in kernel)
    size = tuple(max(1, k - p) + draw(st.integers(0, 8)) for k, p in zip(kernel, pad, strict=True))
    out = []
    for s, k, t, p in zip(size, kernel, stride, pad, strict=True):
        windows = -(-max(0, s + 2 * p - k) // t) + 1  # rounded up, as Caffe does
        out.append(windows - (windows > 1 and (windows - 1) * t >= s + p))
    start = (draw(st.integers(1, 2)), draw(st.sampled_from([1, 3, 8, 16, 20])))
    return (*start, *size), (*start, *out), draw(st.sampled_from(["max", "ave"])), kernel, stride, pad, False


@needs_onednn
@settings(quick, max_examples=12)
@given(poolings())
def test_pool(case):
    both = served(Pool, *case)
    if both is None:
        return
    x, y = array(case[0]), array(case[1])
    x[...] = np.round(x)  # equal maxima: the first in row order has the gradient
    both.check("forward", x, y, out=[1])
    both.check("backward", y, array(case[0]), out=[1])


@needs_onednn
@settings(quick, max_examples=8)
@given(st.sampled_from([1, 3, 16, 20, 33, 64]), st.sampled_from([3, 5]), st.sampled_from(["across", "within"]))
def test_lrn(channels, size, region):
    shape = (2, channels, 6, 5)
    both = served(LRN, shape, region, size, 0.5, 0.75, 2.0)
    if both is None:
        return
    x, y, dy, dx = (array(shape, seed) for seed in range(4))
    both.check("forward", x, y, out=[1])
    both.check("backward", x, y, dy, dx, out=[3])


@needs_onednn
@settings(quick, max_examples=6)
@given(st.sampled_from([(4, 16, 5, 6), (3, 5, 4, 4), (9, 20), (2, 3, 7), (2, 3, 2, 3, 4)]), st.booleans())
def test_batch_norm(shape, use_global):
    both = Both(BatchNorm, shape, 1e-3, use_global)
    x, y, dy, dx = (array(shape, seed) for seed in range(4))
    x += 10  # a mean far from 0: its square would drown the variance
    mean, var = parameter(shape[1]) + 10, np.abs(parameter(shape[1])) + 1
    both.check("forward", x, mean, var, y, out=[3] if use_global else [1, 2, 3])
    both.check("backward", x, mean, var, dy, dx, out=[4])


@needs_onednn
@settings(quick, max_examples=8)
@given(st.lists(st.sampled_from([1, 2, 5, 17]), min_size=1, max_size=5).map(tuple), st.integers(0, 4))
def test_softmax(shape, axis):
    both = served(Softmax, shape, min(axis, len(shape) - 1))
    if both is None:
        return
    x, y, dy, dx = (array(shape, seed) for seed in range(4))
    both.check("forward", x, y, out=[1])
    both.check("backward", y, dy, dx, out=[2])


# -- layouts, binding, memory


@needs_onednn
def test_arrays_in_any_order():
    x_shape, pad = (2, 5, 6, 7), (1, 1)
    plan = Conv(x_shape, 4, (3, 3), (1, 1), pad, (1, 1), 1, True, F4)
    x, w, b, dy = array(x_shape), parameter(4, 5, 3, 3), parameter(4), array(plan.y_shape, 1)
    y, dx, dw, db = array(plan.y_shape), array(x_shape), np.zeros_like(w), np.zeros_like(b)
    plan.forward(x, w, b, y)
    plan.backward_data(dy, w, dx)
    plan.backward_weights(x, dy, dw, db, False)
    for x_, w_, dy_, y_, dx_, dw_ in zip(*map(orders, (x, w, dy, y, dx, dw)), strict=True):
        for _ in range(2):  # bound anew, and bound already
            for out in (y_, dx_):
                out[...] = np.nan
            plan.forward(x_, w_, b, y_)
            plan.backward_data(dy_, w_, dx_)
            plan.backward_weights(x_, dy_, dw_, db, True)
            np.testing.assert_array_equal(y_, y)
            np.testing.assert_array_equal(dx_, dx)
        close(dw_, 3 * dw)


@needs_onednn
@pytest.mark.parametrize("index", range(6))
def test_in_place_in_any_order(index):
    shape = (3, 4, 5, 6)
    relu, tanh = Activation("relu", shape, 0.0, F4), Activation("tanh", shape, 0.0, F4)
    x = list(orders(array(shape)))[index]
    want = np.maximum(x, 0)
    relu.forward(x, x)
    np.testing.assert_array_equal(x, want)
    want = np.tanh(x)
    tanh.forward(x, x)
    close(x, want)


@needs_onednn
def test_other_arrays_are_looked_at():
    plan = Sum((2, 3), (1.0, 2.0), F4)
    first, second = [[array((2, 3), seed), array((2, 3), seed + 1)] for seed in (0, 5)]
    y = [array((2, 3)), array((2, 3))]
    for xs, out in ((first, y[0]), (second, y[1]), (first, y[1]), ([first[0], second[1]], y[0])):
        plan.forward(xs, out)
        close(out, xs[0] + 2 * xs[1])
    first[0] += 1  # the same array with other numbers
    plan.forward([first[0], second[1]], y[0])
    close(y[0], first[0] + 2 * second[1])


@needs_onednn
def test_arrays_that_do_not_fit_the_plan_are_refused():
    plan = Activation("tanh", (2, 3), 0.0, F4)
    x, fixed = array((2, 3)), array((2, 3))
    fixed.flags.writeable = False
    for y in (np.empty((3, 2), F4), np.empty((2, 3)), fixed):
        with pytest.raises(ValueError, match=r"\(2, 3\)"):
            plan.forward(x, y)
    plan.forward(fixed, x)


@needs_onednn
def test_gradients_that_are_not_wanted():
    x_shape = (2, 3, 5, 5)
    plan = Conv(x_shape, 4, (3, 3), (1, 1), (0, 0), (1, 1), 1, True, F4)
    x, dy, dw, db = array(x_shape), array(plan.y_shape), parameter(4, 3, 3, 3), parameter(4)
    plan.backward_weights(x, dy, dw, db, False)
    only_w, only_b = np.zeros_like(dw), np.zeros_like(db)
    plan.backward_weights(x, dy, only_w, None, False)
    plan.backward_weights(x, dy, None, only_b, False)
    np.testing.assert_array_equal(only_w, dw)
    np.testing.assert_array_equal(only_b, db)


@needs_onednn
def test_parts_that_are_not_wanted():
    plan = Concat(((2, 3, 4, 4), (2, 5, 4, 4)), 1, F4)
    dy, dx = array((2, 8, 4, 4)), array((2, 5, 4, 4))
    plan.backward(dy, [None, dx])
    np.testing.assert_array_equal(dx, dy[:, 3:])


@needs_onednn
def test_a_steady_state_takes_no_memory():
    shape = (4, 8, 12, 12)
    conv = Conv(shape, 8, (3, 3), (1, 1), (1, 1), (1, 1), 1, True, F4)
    relu, pool = Activation("relu", shape, 0.0, F4), Pool(shape, (4, 8, 6, 6), "max", (2, 2), (2, 2), (0, 0), False, F4)
    x, y, z, w, b = array(shape), array(shape), array((4, 8, 6, 6)), parameter(8, 8, 3, 3), parameter(8)
    dx, dw, db = array(shape), np.zeros_like(w), np.zeros_like(b)

    def iteration():
        conv.forward(x, w, b, y)
        relu.forward(y, y)
        pool.forward(y, z)
        pool.backward(z, dx)
        relu.backward(y, y, dx, dx)
        conv.backward_weights(x, dx, dw, db, True)
        conv.backward_data(dx, w, x)

    for _ in range(3):
        iteration()
    tracemalloc.start()
    try:
        iteration()
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for _ in range(10):
            iteration()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 1000  # bytes; one image has 4608
    assert peak - before < 2000


def resident():
    """Bytes of memory that the process has."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


@needs_onednn
def test_reshapes_leave_nothing_behind():
    def reshaped(width):
        shape = (1, 4, 64, 60 + width)
        plan = Conv(shape, 8, (3, 3), (1, 1), (1, 1), (1, 1), 1, True, F4)
        x, y, w, b = array(shape), array(plan.y_shape), parameter(8, 4, 3, 3), parameter(8)
        plan.forward(x.copy(order="C"), w, b, y)
        plan.backward_data(y, w, x)
        plan.backward_weights(x, y, w, b, True)
        return weakref.ref(plan), weakref.ref(x)

    gc.disable()  # all of it goes with the last reference
    try:
        for turn in range(20):
            reshaped(turn % 4)
        before = resident()
        for turn in range(200):
            assert all(reference() is None for reference in reshaped(turn % 4))
        assert resident() - before < 8 << 20
    finally:
        gc.enable()


@needs_onednn
def test_the_same_bits_from_run_to_run():
    def run():
        x_shape = (8, 16, 14, 14)
        plan = Conv(x_shape, 32, (3, 3), (1, 1), (1, 1), (1, 1), 1, True, F4)
        x, y, w, b = array(x_shape), array(plan.y_shape), parameter(32, 16, 3, 3), parameter(32)
        product = InnerProduct(plan.y_shape, 1, 10, False, False, F4)
        v, z = parameter(10, count_of(plan.y_shape[1:])), array(product.y_shape)
        plan.forward(x, w, b, y)
        product.forward(y, v, None, z)
        plan.backward_weights(x, y, w, b, False)
        return [a.tobytes() for a in (y, z, w, b)]

    assert run() == run()


@needs_onednn
def test_a_plan_may_move_to_another_thread():
    x_shape = (2, 3, 9, 9)
    plan = Conv(x_shape, 4, (5, 5), (1, 1), (0, 0), (1, 1), 1, True, F4)
    x, w, b, y = array(x_shape), parameter(4, 3, 5, 5), parameter(4), array(plan.y_shape)
    plan.forward(x, w, b, y)
    here = y.copy()
    y.fill(0)
    thread = threading.Thread(target=plan.forward, args=(x, w, b, y))
    thread.start()
    thread.join()
    np.testing.assert_array_equal(y, here)


# -- what is declined, and what is mended


@needs_onednn
def test_relu_keeps_what_is_not_a_number():
    x = array((2, 3, 4, 5))
    x[1, 2, 3, 4], x[0, 0, 0, 0] = np.nan, -0.5
    for slope in (0.0, 0.1):
        y = array(x.shape)
        Activation("relu", x.shape, slope, F4).forward(x, y)
        assert np.isnan(y[1, 2, 3, 4])
        assert np.isnan(y).sum() == 1
        assert y[0, 0, 0, 0] == F4(-0.5) * F4(slope)


@needs_onednn
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_softmax_spreads_what_is_not_a_number_over_its_row(bad):
    x = array((3, 5))
    x[1, 2] = bad
    y = array((3, 5))
    with np.errstate(invalid="ignore"):
        Ops().softmax((3, 5), 1).forward(x, y)
    assert np.isnan(y[1]).all()
    assert np.isfinite(y[[0, 2]]).all()


IMAGES = (2, 16, 6, 6)
DECLINED = {
    "not float32": (Sum, ((2, 3), (1.0,), np.float64), "float32"),
    "empty": (Softmax, ((0, 3), 1, F4), "shape"),
    "a scalar": (Activation, ("relu", (), 0.0, F4), "shape"),
    "a mask": (Pool, (IMAGES, (2, 16, 3, 3), "max", (2, 2), (2, 2), (0, 0), True, F4), "places"),
    "a window over the padding": (Pool, (IMAGES, (2, 16, 4, 4), "ave", (3, 3), (2, 2), (1, 1), False, F4), "padding"),
    "LRN of another size": (LRN, (IMAGES, "across", 7, 1.0, 0.75, 1.0, F4), "over 7"),
    "LRN of another power": (LRN, (IMAGES, "across", 5, 1.0, 0.6, 1.0, F4), "slow loop"),
    "ELU": (Activation, ("elu", IMAGES, 1.0, F4), "digits"),
}


@needs_onednn
def test_what_a_net_asks_for_is_served():
    Conv(IMAGES, 20, (5, 5), (1, 1), (2, 2), (1, 1), 2, True, F4)
    InnerProduct(IMAGES, 1, 10, True, True, F4)
    for method in ("max", "ave"):
        Pool(IMAGES, (2, 16, 3, 3), method, (3, 3), (2, 2), (0, 0), False, F4)  # over the border, by rounding up
        Pool(IMAGES, (2, 16, 3, 3), method, (2, 2), (2, 2), (0, 0), False, F4)
        Pool(IMAGES, (2, 16, 1, 1), method, (6, 6), (1, 1), (0, 0), False, F4)
    BatchNorm(IMAGES, 1e-5, False, F4)
    Concat((IMAGES, IMAGES), 1, F4)
    Sum(IMAGES, (1.0, -1.0), F4)
    for kind in ("relu", "sigmoid", "tanh"):
        Activation(kind, IMAGES, 0.0, F4)
    if library.library().isa.startswith(("AVX-512", "AMX")):
        Softmax((4, 10), 1, F4)
        Softmax(IMAGES, 1, F4)
        LRN(IMAGES, "across", 5, 1e-4, 0.75, 1.0, F4)
        LRN(IMAGES, "within", 3, 1e-4, 0.75, 1.0, F4)


@needs_onednn
@pytest.mark.parametrize("name", DECLINED)
def test_declines(name):
    body, args, reason = DECLINED[name]
    with pytest.raises(Unsupported, match=reason):
        body(*args)


def test_an_empty_batch_is_served_all_the_same():
    plan = Ops().conv((0, 3, 5, 5), 4, (3, 3), (1, 1), (0, 0), (1, 1), 1, True)
    w, b = parameter(4, 3, 3, 3), parameter(4)
    plan.forward(array((0, 3, 5, 5)), w, b, array((0, 4, 3, 3)))
    plan.backward_weights(array((0, 3, 5, 5)), array((0, 4, 3, 3)), w, b, False)
    assert not w.any()
    assert not b.any()


# -- no library


@pytest.fixture
def warnings():
    """The warnings of netcli, and nothing loaded yet."""

    class Kept(logging.Handler):
        def emit(self, record):
            found.append(record.getMessage())

    found, logger, handler = [], logging.getLogger("netcli"), Kept()
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)


def absent_package(name):
    raise library.importlib.metadata.PackageNotFoundError(name)


def absent_gomp(*args, **kwargs):
    raise OSError("libgomp.so.1: cannot open shared object file: No such file or directory")


def another_platform():
    return "aarch64"


MISSING = {
    "the wheel": ("importlib.metadata.distribution", absent_package, "onednn-cpu-gomp is missing"),
    "libgomp": ("ctypes.CDLL", absent_gomp, "libgomp1"),
    "the platform": ("platform.machine", another_platform, "aarch64"),
}


@needs_onednn
@pytest.mark.parametrize("what", MISSING)
def test_without_the_library_plain_bodies_serve_after_one_warning(monkeypatch, warnings, what):
    name, stand_in, reason = MISSING[what]
    monkeypatch.setattr(library, "_load", cache(library._load.__wrapped__))
    monkeypatch.setattr(f"netcli.arrays.onednn.library.{name}", stand_in)
    asked = Ops()
    x, y = array((2, 3)), array((2, 3))
    asked.activation("relu", (2, 3)).forward(x, y)
    np.testing.assert_array_equal(y, np.maximum(x, 0))
    asked.softmax((2, 3), 1)
    asked.sum((2, 3), (1.0, 1.0))
    assert set(asked.declined) == {"activation", "softmax", "sum"}
    assert all(reason in said for said in asked.declined.values())
    assert len(warnings) == 1
    assert reason in warnings[0]
    assert "plain" in type(asked.softmax((2, 3), 1)).__module__


def test_plain_engine_loads_nothing(monkeypatch):
    monkeypatch.setattr(library, "_load", cache(library._load.__wrapped__))
    monkeypatch.setattr(ops.importlib, "import_module", lambda name: _only_plain(name))
    Ops("plain").softmax((2, 3), 1)


def _only_plain(name):
    assert ".plain." in name
    return __import__(name, fromlist=["*"])


@needs_onednn
def test_another_version_is_refused(monkeypatch):
    monkeypatch.setattr(library.dnnl, "VERSION", (4, 0))
    with pytest.raises(OSError, match=r"oneDNN 3\.2\.\d+ is there, 4\.0 is needed"):
        library.Library(library.find())
