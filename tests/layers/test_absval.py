import numpy as np

from checks import Case, Run, case_test

CASES = [
    Case("images", "type: 'AbsVal'", [(2, 3, 4, 5)], lambda x: [abs(x)]),
    Case("rows", "type: 'AbsVal'", [(2, 7)], lambda x: [abs(x)]),
]

test_layer = case_test(CASES)


def test_derivative_at_zero_is_zero():
    run = Run(CASES[1], [np.zeros((1, 2))])
    run.forward()
    np.testing.assert_array_equal(run.backward([np.ones((1, 2))])[0][0], 0)
