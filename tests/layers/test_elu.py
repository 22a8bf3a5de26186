import numpy as np

from checks import Case, case_test


def elu(alpha):
    def reference(x):
        return [np.where(x > 0, x, alpha * np.expm1(x))]

    return reference


CASES = [
    Case("default", "type: 'ELU'", [(2, 3, 4, 5)], elu(1.0), in_place=True),
    Case("half", "type: 'ELU' elu_param { alpha: 0.5 }", [(2, 7)], elu(0.5), in_place=True),
    Case("negative alpha", "type: 'ELU' elu_param { alpha: -0.5 }", [(3, 2, 4)], elu(-0.5)),
]

test_layer = case_test(CASES)
