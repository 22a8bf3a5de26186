"""Every body of `prelu` gives the numbers of a plain loop over its formula."""

import numpy as np
import pytest

from arrays.bodies.checks import Arrays, bodies, dtypes, layouts, plan


@bodies("prelu")
@dtypes
@layouts
@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 4, 5), (2, 3, 4), (2, 3, 2100), (2, 3, 100, 150)])
@pytest.mark.parametrize("shared", [False, True])
def test_prelu(body, dtype, layout, shape, shared):
    arrays = Arrays(dtype, layout)
    prelu = plan(body, shape, shared, arrays.dtype)
    x, y, dy, dx = arrays.normal(*shape), arrays.dirty(*shape), arrays.normal(*shape), arrays.dirty(*shape)
    a = arrays.rng.standard_normal(() if shared else shape[1]).astype(dtype)
    da = np.full_like(a, np.nan)
    slopes = np.float64(a).reshape(-1, *[1] * (len(shape) - 2))
    want, slope = np.where(x > 0, x, slopes * x), np.where(x > 0, 1, slopes)
    prelu.forward(x, a, y)
    arrays.close(y, want)
    prelu.backward(x, a, dy, None, da)
    below = np.float64(np.where(x > 0, 0, x) * dy)
    arrays.close(da, below.sum() if shared else below.sum(tuple(i for i in range(len(shape)) if i != 1)))
    prelu.backward(x, a, dy, dx, None)
    arrays.close(dx, slope * dy)
    prelu.backward(x, a, dy, dy, da)
    arrays.close(dy, dx)
    prelu.forward(x, a, x)
    arrays.close(x, want)
