"""Every body of `softmax` gives the numbers of a plain loop over its formula."""

import numpy as np
import pytest

from arrays import references
from arrays.bodies.checks import Arrays, bodies, check_gradient, dtypes, layouts, plan


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
