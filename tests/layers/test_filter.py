import numpy as np
import pytest

from checks import Case, Run, case_test, refusal

SELECTOR = np.array([[0.0], [1.0], [-2.0], [0.0], [0.5], [0.0]])


def chosen(*arrays):
    *xs, selector = arrays
    return [np.array([row for row, s in zip(x, selector.ravel(), strict=True) if s]) for x in xs]


def case(name, inputs, tops=1):
    return Case(name, "type: 'Filter'", inputs, chosen, gradient=range(tops), tops=tops)


CASES = [
    case("rows", [(6, 3), SELECTOR]),
    case("images", [(6, 2, 3, 4), SELECTOR.reshape(6, 1, 1, 1)]),
    case("two", [(6, 3), (6, 2, 2), SELECTOR.ravel()], tops=2),
]

test_layer = case_test(CASES)


@pytest.mark.parametrize("selector", [np.zeros(6), np.ones(6)])
def test_none_and_all(selector):
    run = Run(CASES[0], [CASES[0].arrays[0], selector])
    assert run.top[0].shape == (6, 3)
    y = run.forward()[0]
    assert y.shape == (selector.sum(), 3)
    dx = run.backward([np.ones_like(y)])[0][0]
    np.testing.assert_array_equal(dx, np.repeat(selector, 3).reshape(6, 3))


def test_refusals():
    kind = "type: 'Filter' bottom: 'x' bottom: 's'"
    assert refusal(kind, [(6, 3), (5,)]) == (
        "bottom 'x' (6, 3) and the selector 's' (5,) differ along axis 0, the batch"
    )
    assert refusal(kind, [(6, 3), (6, 2)]) == "the selector 's' (6, 2) must hold one number for each image"
    assert refusal(kind, [(6, 3), (6,)], tops=2) == (
        "takes a top for each bottom but the selector, the last; got 2 bottoms, 2 tops"
    )
