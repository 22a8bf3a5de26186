"""Every body of `stochastic_pool` gives the numbers of a plain loop over its formula."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrays import references
from arrays.bodies.checks import CARD, Arrays, bodies, dtypes, is_of_card, layouts, plan
from arrays.bodies.test_pool import pools
from netcli.arrays.device import CPU
from netcli.arrays.varying import Varying


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
