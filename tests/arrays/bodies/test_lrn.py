"""Every body of `lrn` gives the numbers of a plain loop over its formula."""

import pytest

from arrays import references
from arrays.bodies.checks import Arrays, bodies, check_gradient, dtypes, layouts, plan


@bodies("lrn")
@dtypes
@layouts
@pytest.mark.parametrize(
    ("region", "size", "alpha", "beta", "k"),
    [
        ("across", 5, 0.3, 0.75, 1.0),
        ("across", 3, 1.0, 0.6, 2.0),
        ("across", 15, 0.3, 0.75, 1.0),
        ("across", 1, 0.5, 0.75, 1.0),
        ("within", 3, 1.2, 0.75, 1.0),
        ("within", 5, 0.4, 0.5, 1.0),
    ],
)
@pytest.mark.parametrize("shape", [(2, 7, 3, 4), (3, 12, 5, 8)])
def test_lrn(body, dtype, layout, shape, region, size, alpha, beta, k):
    arrays = Arrays(dtype, layout)
    lrn = plan(body, shape, region, size, alpha, beta, k, arrays.dtype)
    x, y, dy, dx = arrays.normal(*shape), arrays.dirty(*shape), arrays.normal(*shape), arrays.dirty(*shape)
    lrn.forward(x, y)
    arrays.close(y, references.lrn(x, region, size, alpha, beta, k))
    lrn.backward(x, dy, dx)
    check_gradient(arrays, lambda x: references.lrn(x, region, size, alpha, beta, k), x, dy, dx)


@bodies("lrn")
@pytest.mark.parametrize("region", ["across", "within"])
def test_lrn_without_gradients(body, region):
    arrays = Arrays("f4")
    lrn = plan(body, (2, 7, 3, 4), region, 3, 0.3, 0.75, 1.0, arrays.dtype, False)
    x, y = arrays.normal(2, 7, 3, 4), arrays.dirty(2, 7, 3, 4)
    lrn.forward(x, y)
    arrays.close(y, references.lrn(x, region, 3, 0.3, 0.75, 1.0))
