"""Every body of `maximum` gives the numbers of a plain loop over its formula."""

import numpy as np
import pytest

from arrays.bodies.checks import Arrays, bodies, dtypes, layouts, plan


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
