import numpy as np
import pytest

from checks import Case, Run, case_test, refusal

TERMS = {"SUM": lambda x: x, "MEAN": lambda x: x, "ASUM": abs, "SUMSQ": lambda x: x * x}


def reduction(operation="SUM", axis=0, coeff=1.0):
    def reference(x):
        y = np.zeros(x.shape[:axis])
        for place in np.ndindex(x.shape):
            y[place[:axis]] += coeff * TERMS[operation](x[place])
        return [y / np.prod(x.shape[axis:]) if operation == "MEAN" else y]

    return reference


CASES = [
    Case("everything", "type: 'Reduction'", [(2, 3, 4, 5)], reduction()),
    *(
        Case(
            f"{name} from {axis}",
            f"type: 'Reduction' reduction_param {{ operation: {name} axis: {axis} coeff: 1.75 }}",
            [shape],
            reduction(name, axis % len(shape), 1.75),
        )
        for name in TERMS
        for axis, shape in ((0, (2, 3)), (1, (2, 3, 4, 5)), (-1, (2, 3, 4)))
    ),
    Case("to four axes", "type: 'Reduction' reduction_param { axis: 4 }", [(2, 3, 2, 2, 3)], reduction(axis=4)),
]

test_layer = case_test(CASES)


@pytest.mark.parametrize("operation", TERMS)
def test_a_scalar_is_its_own_sum(operation):
    case = Case("", f"type: 'Reduction' reduction_param {{ operation: {operation} }}", [()])
    run = Run(case, [np.array(2.0)])
    assert run.forward()[0] == TERMS[operation](2.0)
    assert run.backward([1.0])[0][0] == (4.0 if operation == "SUMSQ" else 1.0)


def test_derivative_of_the_absolute_value_at_zero_is_zero():
    run = Run(CASES[7], [np.zeros((2, 3))])
    run.forward()
    np.testing.assert_array_equal(run.backward([1.0])[0][0], 0)


def test_refusals():
    assert refusal("type: 'Reduction' reduction_param { operation: TOPK k: 1 }", [(2, 3)]) == (
        "operation TOPK is not in netcli yet; SUM, ASUM, SUMSQ, MEAN are"
    )
    assert refusal("type: 'Reduction' reduction_param { axis: 2 }", [(2, 3)]) == "axis 2 is not in a bottom of 2 axes"
