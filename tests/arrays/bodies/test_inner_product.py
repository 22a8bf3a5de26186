"""Every body of `inner_product` gives the numbers of a plain loop over its formula."""

import numpy as np
import pytest

from arrays.bodies.checks import Arrays, bodies, check_gradient, check_weights_added, dtypes, layouts, plan
from netcli.arrays.layout import count_of

INNER_PRODUCTS = [
    ((3, 4), 1, 5, False, True),
    ((2, 3, 4, 5), 1, 6, False, True),
    ((2, 3, 4, 5), 1, 6, True, False),
    ((2, 3, 4, 5), 2, 4, True, True),
    ((2, 3, 4), 2, 2, False, False),
    ((4, 5), 0, 3, False, True),
    ((200, 3), 1, 150, False, True),
]


@bodies("inner_product")
@dtypes
@layouts
@pytest.mark.parametrize(("shape", "axis", "filters", "transpose", "bias"), INNER_PRODUCTS)
def test_inner_product(body, dtype, layout, shape, axis, filters, transpose, bias):
    check_inner_product(body, Arrays(dtype, layout), shape, axis, filters, transpose, bias)


def check_inner_product(body, arrays, shape, axis, filters, transpose, bias):
    dtype = arrays.dtype
    product = plan(body, shape, axis, filters, transpose, bias, dtype, **arrays.options)
    rows, length = count_of(shape[:axis]), count_of(shape[axis:])
    x = arrays.normal(*shape)
    w = arrays.rng.standard_normal((length, filters) if transpose else (filters, length)).astype(dtype)
    b = arrays.rng.standard_normal(filters).astype(dtype) if bias else None

    def forward(x, w, b):
        y = np.dot(np.ascontiguousarray(x).reshape(rows, length), w if transpose else w.T)
        return (y if b is None else y + b).reshape(*shape[:axis], filters)

    want = forward(np.float64(x), np.float64(w), None if b is None else np.float64(b))
    assert product.y_shape == want.shape
    y = arrays.dirty(*want.shape)
    product.forward(x, w, b, y)
    arrays.close(y, want)

    dy, dx = arrays.normal(*want.shape), arrays.dirty(*shape)
    product.backward_data(dy, w, dx)
    check_gradient(arrays, lambda x: forward(x, w, b), x, dy, dx)
    dw, db = np.full(w.shape, np.nan, dtype), np.full(filters, np.nan, dtype) if bias else None
    product.backward_weights(x, dy, dw, db, False)
    check_gradient(arrays, lambda w: forward(x, w, b), w, dy, dw)
    if bias:
        check_gradient(arrays, lambda b: forward(x, w, b), b, dy, db)
    check_weights_added(arrays, lambda *gradients: product.backward_weights(x, dy, *gradients), dw, db)
