import numpy as np

from arrays import references
from checks import Case, Run, case_test, refusal


def softmax(axis):
    return lambda x: [references.softmax(x, axis)]


CASES = [
    Case("scores", "type: 'Softmax'", [(3, 5)], softmax(1), in_place=True),
    Case("images", "type: 'Softmax'", [(2, 4, 3, 2)], softmax(1), in_place=True),
    Case("axis 2", "type: 'Softmax' softmax_param { axis: 2 engine: CUDNN }", [(2, 4, 3)], softmax(2), in_place=True),
    Case("axis -1", "type: 'Softmax' softmax_param { axis: -1 }", [(2, 4, 3, 2)], softmax(3), in_place=True),
    Case("axis 0", "type: 'Softmax' softmax_param { axis: 0 }", [(4, 3)], softmax(0), batch=False),
]

test_layer = case_test(CASES)


def test_large_scores_do_not_overflow():
    case = Case("large", "type: 'Softmax'", [np.array([[1000.0, 1000.0, -1000.0]])])
    for engine in ("plain", "auto"):
        np.testing.assert_allclose(Run(case, case.arrays, np.float32, engine=engine).forward()[0], [[0.5, 0.5, 0]])


def test_refusals():
    assert refusal("type: 'Softmax' softmax_param { scaling_temperature: 2 }", [(2, 3)]) == (
        "scaling_temperature, a field of jolibrain, is not in netcli yet"
    )
    assert refusal("type: 'Softmax' softmax_param { axis: 2 }", [(2, 3)]) == "axis 2 is not in a bottom of 2 axes"
