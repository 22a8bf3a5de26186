import numpy as np

from checks import Case, Run, case_test


def sigmoid(x):
    return [1 / (1 + np.exp(-x))]


CASES = [
    Case("images", "type: 'Sigmoid'", [(2, 3, 4, 5)], sigmoid, in_place=True),
    Case("rows", "type: 'Sigmoid' sigmoid_param { engine: CAFFE }", [(2, 7)], sigmoid, in_place=True),
]

test_layer = case_test(CASES)


def test_far_from_zero_it_saturates_without_overflow():
    run = Run(CASES[1], [np.array([[-1000.0, 1000.0]])], np.float32)
    np.testing.assert_allclose(run.forward()[0], [[0, 1]], atol=1e-7)
