import numpy as np

from checks import Case, case_test


def relu(slope):
    return lambda x: [np.where(x > 0, x, slope * x)]


CASES = [
    Case("plain", "type: 'ReLU'", [(2, 3, 4, 5)], relu(0), in_place=True),
    Case("slope", "type: 'ReLU' relu_param { negative_slope: 0.1 }", [(2, 7)], relu(0.1), in_place=True),
    Case("engine is a hint", "type: 'ReLU' relu_param { engine: CUDNN }", [(3, 2, 4)], relu(0)),
    Case("negative slope", "type: 'ReLU' relu_param { negative_slope: -0.5 }", [(6,)], relu(-0.5)),
]

test_layer = case_test(CASES)
