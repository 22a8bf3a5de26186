"""Every body of `scale` gives the numbers of a plain loop over its formula."""

import numpy as np
import pytest

from arrays.bodies.checks import Arrays, bodies, dtypes, layouts, plan


@bodies("scale")
@dtypes
@layouts
@pytest.mark.parametrize(
    ("shape", "axis", "end"),
    [
        *[((2, 3, 4, 5), axis, end) for axis, end in [(1, 2), (0, 2), (0, 1), (4, 4), (1, 4), (2, 3), (0, 4)]],
        *[((2, 3, 4, 5), axis, end) for axis, end in [(0, 3), (1, 3), (2, 4), (3, 4), (0, 0)]],
        *[
            ((4, 6), 1, 2),
            ((4, 3, 7), 1, 2),
            ((2, 3, 2100), 1, 2),
            ((2, 3, 100, 150), 1, 2),
            ((70, 1100), 1, 2),
            ((3, 20_000), 0, 1),
            ((4, 3, 7000), 1, 2),
            ((5, 1, 90, 70), 1, 2),
            ((0, 3), 1, 2),
            ((), 0, 0),
        ],
    ],
)
def test_scale(body, dtype, layout, shape, axis, end):
    arrays = Arrays(dtype, layout)
    scale = plan(body, shape, axis, end, arrays.dtype)
    x, y, dy, dx = arrays.normal(*shape), arrays.dirty(*shape), arrays.normal(*shape), arrays.dirty(*shape)
    s, b = (np.array(each, dtype) for each in arrays.rng.standard_normal((2, *shape[axis:end])))
    ds, db = np.full_like(s, np.nan), np.full_like(s, np.nan)
    beside = (*shape[axis:end], *(1,) * (len(shape) - end))
    factor, offset = np.float64(s).reshape(beside), np.float64(b).reshape(beside)
    others = tuple(i for i in range(len(shape)) if not axis <= i < end)
    for parts in [(s, b), (s, None), (None, b), (None, None)]:
        scale.forward(x, *parts, y)
        arrays.close(y, np.float64(x) * (1 if parts[0] is None else factor) + (0 if parts[1] is None else offset))
    scale.backward(x, s, dy, dx, ds, db)
    arrays.close(dx, dy * factor)
    arrays.close(ds, (np.float64(dy) * x).sum(others))
    arrays.close(db, np.float64(dy).sum(others))
    again = np.full_like(db, np.nan)
    scale.backward(None, s, dy, None, None, again)
    arrays.close(again, db)
    over = x.copy(order="K")
    scale.forward(over, s, b, over)
    arrays.close(over, x * factor + offset)
    scale.backward(None, s, dy, dy, None, None)
    arrays.close(dy, dx)
