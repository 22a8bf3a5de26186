"""Every body of `log_loss` gives the numbers of a plain loop over its formula."""

import numpy as np
import pytest

from arrays import references
from arrays.bodies.checks import Arrays, bodies, dtypes, is_of_card, layouts, plan


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


@bodies("log_loss")
def test_log_loss_shows_what_is_not_a_number(body):
    p, index = np.array([[0.5, 0.5], [np.nan, np.nan]], "f4"), np.array([[1], [0]])
    loss, dx = plan(body, p.shape, 1, p.dtype), np.empty_like(p)
    assert np.isnan(loss.forward(p, index))
    loss.backward(p, index, 1.0, dx)
    np.testing.assert_array_equal(np.isnan(dx), [[False, False], [True, True]])
