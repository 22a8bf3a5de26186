"""Every body of `add_rows` gives the numbers of a plain loop over its formula."""

import numpy as np
import pytest

from arrays.bodies.checks import Arrays, bodies, dtypes, layouts, plan


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
