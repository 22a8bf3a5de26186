import numpy as np

from checks import Case, Run, case_test

CASES = [
    Case("one", "type: 'Silence'", [(2, 3, 4, 5)], lambda x: [], tops=0),
    Case("three", "type: 'Silence'", [(2, 3), (4,), (2, 2, 2)], lambda *x: [], tops=0),
]

test_layer = case_test(CASES)


def test_bottoms_learn_nothing():
    run = Run(CASES[0], CASES[0].arrays)
    run.bottom[0].diff.fill(5)
    np.testing.assert_array_equal(run.backward([])[0][0], 0)
