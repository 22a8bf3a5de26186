"""Every body of `norm` gives the numbers of a plain loop over its formula."""

import numpy as np

from arrays.bodies.checks import Arrays, bodies, dtypes, plan


@bodies("norm")
@dtypes
def test_norm(body, dtype):
    arrays = Arrays(dtype)
    shapes = [(7, 3), (), (0, 2), (3, 2, 5, 5), (70, 1000)]
    norm = plan(body, shapes, arrays.dtype)
    xs = [np.array(arrays.normal(*shape), order="C") for shape in shapes]
    want = np.sqrt(sum(np.square(np.float64(x)).sum() for x in xs))
    for _ in range(2):
        assert abs(norm.forward(xs) - want) <= 1e-6 * want
    xs[0][2, 1] = np.nan
    assert np.isnan(norm.forward(xs))
    assert plan(body, [], arrays.dtype).forward([]) == 0
