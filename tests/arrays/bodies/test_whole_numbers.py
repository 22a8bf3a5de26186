"""Every body of `whole_numbers` gives the numbers of a plain loop over its formula."""

import numpy as np
import pytest

from arrays import references
from arrays.bodies.checks import Arrays, bodies, dtypes, plan


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
