"""oneDNN's bodies against the plain ones, on random shapes."""

import importlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from arrays.onednn_arrays import F4, array, close, needs_onednn, parameter
from netcli.arrays.bodies import BODIES
from netcli.arrays.layout import count_of
from netcli.arrays.onednn.batch_norm import BatchNorm
from netcli.arrays.onednn.conv import Conv
from netcli.arrays.onednn.inner_product import InnerProduct
from netcli.arrays.onednn.lrn import LRN
from netcli.arrays.onednn.pool import Pool
from netcli.arrays.onednn.softmax import Softmax
from netcli.arrays.unsupported import Unsupported

quick = settings(deadline=None, derandomize=True, database=None)


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
    both.check("backward", x, dy, dx, out=[2])


@needs_onednn
@settings(quick, max_examples=6)
@given(
    st.sampled_from([(4, 16, 5, 6), (3, 5, 4, 4), (9, 20), (2, 3, 7), (2, 3, 2, 3, 4)]),
    st.sampled_from([(False, False, False), (True, False, False), (True, True, False), (False, True, True)]),
)
def test_batch_norm(shape, kind):
    both = Both(BatchNorm, shape, 1e-3, *kind)
    use_global, affine, _ = kind
    x, y, dy, dx = (array(shape, seed) for seed in range(4))
    x += 10  # a mean far from 0: its square would drown the variance
    mean, var = parameter(shape[1]) + 10, np.abs(parameter(shape[1])) + 1
    s, b, ds, db = (parameter(shape[1]) if affine else None for _ in range(4))
    both.check("forward", x, mean, var, s, b, y, out=[5] if use_global else [1, 2, 5])
    both.check("backward", x, mean, var, s, dy, dx, ds, db, out=[5, 6, 7] if affine else [5])


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
