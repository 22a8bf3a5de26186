"""Every body of `concat` gives the numbers of a plain loop over its formula."""

import numpy as np
import pytest

from arrays.bodies.checks import Arrays, bodies, dtypes, layouts, plan


@bodies("concat")
@dtypes
@layouts
@pytest.mark.parametrize(
    ("shape", "axis", "sizes"),
    [
        *[((2, 0, 3, 4), 1, (2, 3, 1)), ((0, 3), 0, (2, 4)), ((2, 3, 0), 2, (1, 5)), ((2, 0), 1, (3,))],
        *[((0, 3, 2, 4), 0, (2, 1)), ((2, 3, 0, 4), 2, (1, 0, 5)), ((2, 3, 4, 0), 3, (2, 3))],
        *[((3, 0, 20, 30), 1, (2, 3)), ((40, 0, 9), 1, (30, 1)), ((), 0, (900, 1000)), ((0, 0, 2, 2), 1, (3, 4))],
    ],
)
def test_concat(body, dtype, layout, shape, axis, sizes):
    arrays = Arrays(dtype, layout)
    shapes = [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]
    xs = [arrays.normal(*s) for s in shapes]
    concat = plan(body, shapes, axis, arrays.dtype)
    want = np.concatenate(xs, axis)
    assert concat.y_shape == want.shape
    y = arrays.dirty(*want.shape)
    concat.forward(xs, y)
    np.testing.assert_array_equal(y, want)
    dxs = [arrays.dirty(*s) for s in shapes]
    concat.backward(y, [None, *dxs[1:]])
    concat.backward(y, [*dxs[:1], *[None] * (len(dxs) - 1)])
    for dx, x in zip(dxs, xs, strict=True):
        np.testing.assert_array_equal(dx, x)
