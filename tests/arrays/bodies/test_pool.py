"""Every body of `pool` gives the numbers of a plain loop over its formula."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrays import references
from arrays.bodies.checks import Arrays, bodies, dtypes, layouts, plan

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
