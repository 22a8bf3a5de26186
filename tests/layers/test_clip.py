import numpy as np

from checks import Case, Run, case_test, refusal


def clip(low, high):
    return lambda x: [np.array([max(low, min(v, high)) for v in x.ravel()]).reshape(x.shape)]


CASES = [
    Case("images", "type: 'Clip' clip_param { min: -0.5 max: 0.75 }", [(2, 3, 4, 5)], clip(-0.5, 0.75), in_place=True),
    Case("rows", "type: 'Clip' clip_param { min: 0 max: 6 }", [(2, 7)], clip(0, 6), in_place=True),
    Case("min above max", "type: 'Clip' clip_param { min: 2 max: 1 }", [(2, 7)], clip(2, 1)),
]

test_layer = case_test(CASES)


def test_derivative_on_the_bounds_is_one():
    run = Run(CASES[1], [np.array([[-1.0, 0.0, 3.0, 6.0, 7.0]])])
    run.forward()
    np.testing.assert_array_equal(run.backward([np.ones((1, 5))])[0][0], [[0, 1, 1, 1, 0]])


def test_refusals():
    assert refusal("type: 'Clip'", [(3,)]) == "needs clip_param min"
