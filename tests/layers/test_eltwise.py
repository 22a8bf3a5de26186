import functools

import numpy as np
import pytest

from checks import Case, Run, case_test, refusal


def total(*coefficients):
    return lambda *xs: [sum(c * x for c, x in zip(coefficients, xs, strict=True))]


def product(*xs):
    return [functools.reduce(np.multiply, xs)]


def maximum(*xs):
    return [functools.reduce(np.maximum, xs)]


def layer(param):
    return f"type: 'Eltwise' eltwise_param {{ {param} }}"


TWO, THREE = [(2, 3, 2, 4)] * 2, [(2, 3, 2, 4)] * 3

CASES = [
    Case("sum", "type: 'Eltwise'", TWO, total(1, 1)),
    Case("sum of three", "type: 'Eltwise'", THREE, total(1, 1, 1)),
    Case("difference", layer("coeff: [1, -1]"), [(3, 4)] * 2, total(1, -1)),
    Case("weighted", layer("operation: SUM coeff: [0.5, -1.5, 2]"), THREE, total(0.5, -1.5, 2)),
    Case("product", layer("operation: PROD"), TWO, product),
    Case("product of three", layer("operation: PROD"), THREE, product),
    Case("quotients", layer("operation: PROD stable_prod_grad: false"), THREE, product),
    Case("maximum", layer("operation: MAX"), TWO, maximum),
    Case("maximum with coeff", layer("operation: MAX coeff: [2, 3]"), TWO, maximum),
    Case("maximum of three", layer("operation: MAX"), THREE, maximum),
]

test_layer = case_test(CASES)


def test_a_blob_times_itself():
    """The net gives a layer that reads a blob twice two tops of a Split, which look at the same data."""
    case = Case("square", layer("operation: PROD"), [(2, 3), (2, 3)])
    run = Run(case, [case.arrays[0]] * 2)
    np.testing.assert_allclose(run.forward()[0], case.arrays[0] ** 2)
    diffs, _ = run.backward([np.ones((2, 3))])
    np.testing.assert_allclose(sum(diffs), 2 * case.arrays[0])


def test_of_equals_the_second_then_the_first_then_the_third():
    x = [np.array([1.0, 1, 0, 0, 2]), np.array([1.0, 1, 1, 0, 1]), np.array([1.0, 2, 1, 0, 2])]
    case = Case("equal", layer("operation: MAX"), x)
    run = Run(case, x)
    np.testing.assert_array_equal(run.forward()[0], [1, 2, 1, 0, 2])
    diffs, _ = run.backward([np.ones(5)])
    np.testing.assert_array_equal(diffs, [[0, 0, 0, 0, 1], [1, 0, 1, 1, 0], [0, 1, 0, 0, 0]])


@pytest.mark.parametrize(
    ("param", "shapes", "message"),
    [
        ("", [(2, 3), (2, 3), (2, 4)], "bottoms differ: 'x0' (2, 3), 'x2' (2, 4)"),
        ("operation: SORT", [(2, 3), (2, 3)], "operation SORT is not in netcli yet; SUM, PROD and MAX are"),
        ("coeff: 1", [(2, 3), (2, 3)], "2 bottoms take as many coeff, got 1"),
        ("operation: PROD coeff: [1, 2]", [(2, 3), (2, 3)], "coeff goes with operation: SUM, not with PROD"),
        ("", [(2, 3)], "takes 2 or more bottoms, got 1"),
    ],
)
def test_refusals(param, shapes, message):
    assert refusal(layer(param), shapes) == message
