"""Every body of `activation` gives the numbers of a plain loop over its formula."""

import numpy as np
import pytest

from arrays import references
from arrays.bodies.checks import Arrays, bodies, check_gradient, dtypes, layouts, plan


@bodies("activation")
@dtypes
@layouts
@pytest.mark.parametrize(
    ("kind", "alpha"), [("relu", 0.0), ("relu", 0.1), ("elu", 1.0), ("elu", 0.5), ("sigmoid", 0.0), ("tanh", 0.0)]
)
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 700)])
def test_activation(body, dtype, layout, kind, alpha, shape):
    arrays = Arrays(dtype, layout)
    activation = plan(body, kind, shape, alpha, arrays.dtype)
    x, y, dy, dx = arrays.normal(*shape), arrays.dirty(*shape), arrays.normal(*shape), arrays.dirty(*shape)
    x[np.abs(x) < 0.05] = 0.05  # a kink has no slope
    want = references.activation(kind, alpha, np.float64(x))
    activation.forward(x, y)
    arrays.close(y, want)
    activation.backward(x, y, dy, dx)
    check_gradient(arrays, lambda x: references.activation(kind, alpha, x), x, dy, dx)
    activation.forward(x, x)
    arrays.close(x, want)
    activation.backward(x, x, dy, dy)
    arrays.close(dy, dx)


@bodies("activation")
def test_relu_has_no_slope_at_zero(body):
    relu = plan(body, "relu", (3,), 0.0, np.dtype("f4"))
    x, y, dx = np.array([-1, 0, 1], "f4"), np.empty(3, "f4"), np.empty(3, "f4")
    relu.forward(x, y)
    relu.backward(x, y, np.ones(3, "f4"), dx)
    np.testing.assert_array_equal(dx, [0, 0, 1])
