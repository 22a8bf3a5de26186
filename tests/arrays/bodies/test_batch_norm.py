"""Every body of `batch_norm` gives the numbers of a plain loop over its formula."""

import numpy as np
import pytest

from arrays import references
from arrays.bodies.checks import Arrays, bodies, check_gradient, dtypes, layouts, plan


@bodies("batch_norm")
@dtypes
@layouts
@pytest.mark.parametrize(
    "shape",
    [(3, 4, 2, 5), (6, 3), (2, 3, 4), (2, 3, 2, 3, 2), (2, 140, 3, 4), (3, 5, 24, 25), (4, 8, 23, 20), (3, 2, 700)],
)
@pytest.mark.parametrize(
    ("use_global", "affine", "relu"),
    [(False, False, False), (True, False, False), (False, True, True), (True, True, False), (False, False, True)],
)
def test_batch_norm(body, dtype, layout, shape, use_global, affine, relu):
    arrays = Arrays(dtype, layout)
    norm = plan(body, shape, 1e-3, use_global, affine, relu, arrays.dtype)
    x, y, dy, dx = arrays.normal(*shape), arrays.dirty(*shape), arrays.normal(*shape), arrays.dirty(*shape)
    mean, var = np.full((2, shape[1]), np.nan, dtype)
    if use_global:
        mean[:], var[:] = arrays.rng.standard_normal(shape[1]), arrays.rng.uniform(0.5, 2, shape[1])
    means, variances = np.float64(mean), np.float64(var)
    s, b, ds, db = arrays.rng.standard_normal((4, shape[1])).astype(dtype) if affine else [None] * 4

    def forward(x, s=s, b=b):
        return references.batch_norm(x, means, variances, 1e-3, use_global, s, b, relu)

    want = forward(np.float64(x))
    norm.forward(x, mean, var, s, b, y)
    arrays.close(y, want)
    arrays.close(mean, means)
    arrays.close(var, variances)
    norm.backward(x, mean, var, s, dy, dx, ds, db)
    check_gradient(arrays, forward, x, dy, dx)
    if affine:
        check_gradient(arrays, lambda s: forward(np.float64(x), s, b), s, dy, ds)
        check_gradient(arrays, lambda b: forward(np.float64(x), s, b), b, dy, db)

    over = x.copy(order="K")  # y is x, dx is dy
    norm.forward(over, mean, var, s, b, over)
    arrays.close(over, want)
    norm.backward(x, mean, var, s, dy, dy, ds, db)
    arrays.close(dy, dx)


@bodies("batch_norm")
@dtypes
def test_batch_norm_with_relu_shows_what_is_not_a_number(body, dtype):
    arrays = Arrays(dtype, "channels last")
    shape = (2, 16, 3, 3)
    norm = plan(body, shape, 1e-3, False, True, True, arrays.dtype)
    x, y = arrays.normal(*shape), arrays.dirty(*shape)
    x[1, 3, 2, 2] = np.nan
    mean, var, s, b = np.ones((4, 16), dtype)
    norm.forward(x, mean, var, s, b, y)
    assert np.isnan(y[:, 3]).all()
    assert np.isfinite(np.delete(y, 3, axis=1)).all()
