"""Every body of `sum` gives the numbers of a plain loop over its formula."""

import numpy as np
import pytest

from arrays import references
from arrays.bodies.checks import Arrays, bodies, dtypes, layouts, plan


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
