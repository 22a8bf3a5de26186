import numpy as np

from checks import Case, case_test


def tanh(x):
    return [np.tanh(x)]


CASES = [
    Case("images", "type: 'TanH'", [(2, 3, 4, 5)], tanh, in_place=True),
    Case("rows", "type: 'TanH' tanh_param { engine: CUDNN }", [(2, 7)], tanh, in_place=True),
]

test_layer = case_test(CASES)
