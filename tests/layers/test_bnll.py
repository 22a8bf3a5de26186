import numpy as np

from checks import Case, Run, case_test


def bnll(x):
    return [np.log(1 + np.exp(x))]


CASES = [
    Case("images", "type: 'BNLL'", [(2, 3, 4, 5)], bnll, in_place=True),
    Case("rows", "type: 'BNLL'", [(2, 7)], bnll, in_place=True),
]

test_layer = case_test(CASES)


def test_far_from_zero_it_keeps_its_digits():
    run = Run(CASES[1], [np.array([[-30.0, 1000.0]])], np.float32)
    np.testing.assert_allclose(run.forward()[0], [[np.exp(-30), 1000]], rtol=1e-5)
    np.testing.assert_allclose(run.backward([np.ones((1, 2))])[0][0], [[np.exp(-30), 1]], rtol=1e-5)
