import numpy as np

from checks import Case, case_test


def swish(beta):
    return lambda x: [x / (1 + np.exp(-beta * x))]


CASES = [
    Case("default", "type: 'Swish'", [(2, 3, 4, 5)], swish(1), in_place=True),
    Case("beta", "type: 'Swish' swish_param { beta: 1.5 }", [(2, 7)], swish(1.5), in_place=True),
    Case("beta 0", "type: 'Swish' swish_param { beta: 0 }", [(2, 7)], swish(0)),
    Case("negative beta", "type: 'Swish' swish_param { beta: -0.5 }", [(2, 3, 4)], swish(-0.5)),
]

test_layer = case_test(CASES)
